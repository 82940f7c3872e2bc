package signer

import (
	"context"
	"encoding/json"
	"time"

	"neargate/auth"
	api "neargate/aws/signer"
	"neargate/resource/image/notary"
	"neargate/resource/signing"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/signings"
)

// succeeded is the status of every job: one that fails leaves none.
const succeeded = "Succeeded"

// checkPayload refuses what is no description of an artifact.
// Source: Notary Project signature specification, "Payload".
func checkPayload(payload []byte) error {
	var p struct {
		Target *struct {
			MediaType string `json:"mediaType"`
			Digest    string `json:"digest"`
			Size      *int64 `json:"size"`
		} `json:"targetArtifact"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return api.ValidationException("Payload is not valid JSON.")
	}
	if t := p.Target; t == nil || t.MediaType == "" || t.Digest == "" || t.Size == nil || *t.Size < 0 {
		return api.ValidationException("Payload must have a targetArtifact with mediaType, digest and size.")
	}
	return nil
}

// SignPayload signs the description of an artifact.
func (s *Service) SignPayload(ctx context.Context, in *api.SignPayloadInput) (*api.SignPayloadOutput, error) {
	if *in.PayloadFormat != notary.PayloadType {
		return nil, api.ValidationException("Payload format " + *in.PayloadFormat + " is not supported. Payload format must be " + notary.PayloadType + ".")
	}
	if err := checkPayload(in.Payload); err != nil {
		return nil, err
	}
	p, err := s.view(ctx, in.ProfileOwner, *in.ProfileName)
	if err == nil {
		err = usable(&p)
	}
	if err != nil {
		return nil, err
	}
	key, err := s.open(p.Sealed, p.Bound())
	if err != nil {
		return nil, err
	}
	c, now := auth.CallerFrom(ctx), s.now()
	j := signing.Job{
		Account: p.Account, Region: p.Region, ID: s.deps.IDs.UUID(), Profile: p.Name, Version: p.Version, Platform: p.Platform,
		Parameters: p.Parameters, CreatedAt: now, ExpiresAt: p.Validity.After(now), By: c.ARN, Invoker: c.Account,
	}
	signature, err := sign(key, &p, &j, in.Payload)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		still, err := find(ctx, tx, in.ProfileOwner, *in.ProfileName)
		if err == nil {
			err = usable(&still)
		}
		if err != nil {
			return err
		}
		return signings.Jobs.Put(tx, &j)
	})
	if err != nil {
		return nil, err
	}
	return &api.SignPayloadOutput{
		JobId: &j.ID, JobOwner: &j.Account, Signature: signature,
		Metadata: map[string]string{profileAttribute: p.VersionARN(), jobAttribute: j.ARN()},
	}, nil
}

// findJob is a job of an account: the caller's own unless owner names another.
func findJob(ctx context.Context, tx store.Tx, owner *string, id string) (signing.Job, error) {
	c := auth.CallerFrom(ctx)
	j, ok, err := signings.Jobs.Find(tx, member.Or(owner, c.Account), c.Region, id)
	if err == nil && !ok {
		err = api.ResourceNotFoundException("job with id " + id + " does not exist")
	}
	return j, err
}

// DescribeSigningJob shows a job.
func (s *Service) DescribeSigningJob(ctx context.Context, in *api.DescribeSigningJobInput) (*api.DescribeSigningJobOutput, error) {
	var j signing.Job
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		j, err = findJob(ctx, tx, nil, *in.JobId)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeSigningJobOutput{
		JobId: &j.ID, JobOwner: &j.Account, JobInvoker: &j.Invoker, RequestedBy: &j.By, ProfileName: &j.Profile, ProfileVersion: &j.Version,
		PlatformId: &j.Platform, PlatformDisplayName: new(signing.NotationName), SigningMaterial: &api.SigningMaterial{}, SigningParameters: j.Parameters,
		CreatedAt: &j.CreatedAt, CompletedAt: &j.CreatedAt, SignatureExpiresAt: &j.ExpiresAt,
		Status: new(succeeded), StatusReason: new("Signing Succeeded"),
	}
	if r := j.Revocation; r != nil {
		out.RevocationRecord = &api.SigningJobRevocationRecord{Reason: &r.Reason, RevokedAt: &r.At, RevokedBy: &r.By}
	}
	return out, nil
}

// wants reports whether a request lists a job.
func wants(in *api.ListSigningJobsInput, j *signing.Job) bool {
	is := func(p *string, value string) bool { return p == nil || *p == value }
	return is(in.Status, succeeded) && is(in.PlatformId, j.Platform) && is(in.RequestedBy, j.By) && is(in.JobInvoker, j.Invoker) &&
		(in.IsRevoked == nil || *in.IsRevoked == (j.Revocation != nil)) &&
		(in.SignatureExpiresBefore == nil || j.ExpiresAt.Before(*in.SignatureExpiresBefore)) &&
		(in.SignatureExpiresAfter == nil || j.ExpiresAt.After(*in.SignatureExpiresAfter))
}

// ListSigningJobs lists jobs in the order in which they were made.
func (s *Service) ListSigningJobs(ctx context.Context, in *api.ListSigningJobsInput) (*api.ListSigningJobsOutput, error) {
	filters, err := json.Marshal(struct{ Status, Platform, By, Invoker, Revoked, Before, After any }{
		in.Status, in.PlatformId, in.RequestedBy, in.JobInvoker, in.IsRevoked, in.SignatureExpiresBefore, in.SignatureExpiresAfter,
	})
	if err != nil {
		return nil, err
	}
	after, scope, err := s.position(ctx, in.NextToken, "ListSigningJobs", string(filters))
	if err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	out := &api.ListSigningJobsOutput{}
	last := ""
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		all := signings.Jobs.ByPage(tx, signings.JobsByTime, []string{c.Account, c.Region}, after, 0)
		out.Jobs, last, err = gather(all, int(member.Or(in.MaxResults, mostResults)),
			func(j *signing.Job) string { return signings.Jobs.IndexKey(signings.JobsByTime, j) },
			func(j *signing.Job) (api.SigningJob, bool) { return listed(j), wants(in, j) })
		return err
	})
	out.NextToken = s.next(last, scope)
	return out, err
}

func listed(j *signing.Job) api.SigningJob {
	return api.SigningJob{
		JobId: &j.ID, JobOwner: &j.Account, JobInvoker: &j.Invoker, ProfileName: &j.Profile, ProfileVersion: &j.Version,
		PlatformId: &j.Platform, PlatformDisplayName: new(signing.NotationName), SigningMaterial: &api.SigningMaterial{},
		CreatedAt: &j.CreatedAt, SignatureExpiresAt: &j.ExpiresAt, Status: new(succeeded), IsRevoked: new(j.Revocation != nil),
	}
}

// RevokeSignature says that a signature is not to be trusted; what was said first stays.
func (s *Service) RevokeSignature(ctx context.Context, in *api.RevokeSignatureInput) (*api.RevokeSignatureOutput, error) {
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		j, err := findJob(ctx, tx, in.JobOwner, *in.JobId)
		if err != nil || j.Revocation != nil {
			return err
		}
		j.Revocation = &signing.Revocation{Reason: *in.Reason, By: auth.CallerFrom(ctx).ARN, At: s.now()}
		return signings.Jobs.Put(tx, &j)
	})
	return &api.RevokeSignatureOutput{}, err
}

// GetRevocationStatus answers which of a profile and a job was revoked, as of when a
// signature was made. Certificates are never revoked here: keys are with the profiles.
func (s *Service) GetRevocationStatus(ctx context.Context, in *api.GetRevocationStatusInput) (*api.GetRevocationStatusOutput, error) {
	owner, region, name, version, ok := signing.ParseProfile(*in.ProfileVersionArn)
	if !ok || version == "" {
		return nil, api.ValidationException("Invalid profile version ARN: " + *in.ProfileVersionArn)
	}
	account, where, id, ok := signing.ParseJob(*in.JobArn)
	if !ok || account != owner || where != region {
		return nil, api.ValidationException("Invalid job ARN: " + *in.JobArn)
	}
	if err := checkPlatform(*in.PlatformId); err != nil {
		return nil, api.ValidationException("Invalid platform id: " + *in.PlatformId)
	}
	out := &api.GetRevocationStatusOutput{RevokedEntities: []string{}}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, there, err := signings.Profiles.Find(tx, owner, region, name)
		if err != nil {
			return err
		}
		j, made, err := signings.Jobs.Find(tx, account, region, id)
		switch {
		case err != nil:
			return err
		case !there || p.Version != version:
			return api.ValidationException("There is no profile version " + *in.ProfileVersionArn)
		case !made || j.Profile != name:
			return api.ValidationException("There is no job " + *in.JobArn)
		}
		out.RevokedEntities = revoked(&p, &j, *in.SignatureTimestamp)
		return nil
	})
	return out, err
}

// revoked are the ARNs of what was revoked of which a signature was made at a time.
func revoked(p *signing.Profile, j *signing.Job, at time.Time) []string {
	out := []string{}
	if r := p.Revocation; r != nil && !at.Before(r.EffectiveFrom) {
		out = append(out, p.VersionARN())
	}
	if j.Revocation != nil {
		out = append(out, j.ARN())
	}
	return out
}
