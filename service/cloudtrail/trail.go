package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/logs"
	"neargate/resource/objects"
	"neargate/resource/trail"
	"neargate/service/internal/member"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

// Buckets are where trails deliver to.
type Buckets interface {
	// MayDeliver answers nil when a trail can deliver to its bucket, with its KMS key if
	// it names one, which is made an ARN; else one of the errors below.
	MayDeliver(ctx context.Context, t *trail.Trail) error
}

// Why a trail cannot deliver.
var (
	ErrNoBucket    = errors.New("cloudtrail: no such bucket")
	ErrDenied      = errors.New("cloudtrail: the bucket's policy does not let it")
	ErrNoKey       = errors.New("cloudtrail: no such KMS key")
	ErrKeyDenied   = errors.New("cloudtrail: the KMS key's policy does not let it")
	ErrKeyDisabled = errors.New("cloudtrail: the KMS key is not enabled")
)

// Groups are the log groups that trails deliver to.
type Groups interface {
	// MayLog makes the trail's log stream in its log group, with its role, and answers nil
	// if it can deliver there; else one of the errors below.
	MayLog(ctx context.Context, t *trail.Trail) error
}

// Why a trail cannot deliver to a log group.
var (
	ErrNoGroup   = errors.New("cloudtrail: no such log group")
	ErrRole      = errors.New("cloudtrail: the role cannot be assumed")
	ErrNotLogged = errors.New("cloudtrail: the role may not write to the log group")
)

// maxPrefix bounds the prefix of keys.
const maxPrefix = 200

// settings are what CreateTrail and UpdateTrail may say of a trail.
type settings struct {
	logGroup, logRole, key, bucket, prefix, topic *string
	validation, global, multiRegion, organization *bool
}

// unbuilt refuses what is not here.
func (in *settings) unbuilt() error {
	switch {
	case member.Or(in.organization, false):
		return api.OrganizationsNotInUseException("The account is not a member of an organization.")
	case member.Or(in.topic, "") != "":
		return api.InsufficientSnsTopicPolicyException("SNS Topic does not exist or the topic policy is incorrect!")
	}
	return nil
}

// apply changes a trail as the settings say from a time on, and checks it.
func (in *settings) apply(t *trail.Trail, now time.Time) error {
	t.ToLogs(member.Or(in.logGroup, t.LogGroup), member.Or(in.logRole, t.LogRole), now)
	t.Bucket, t.Prefix, t.Key = member.Or(in.bucket, t.Bucket), member.Or(in.prefix, t.Prefix), member.Or(in.key, t.Key)
	t.MultiRegion, t.Global = member.Or(in.multiRegion, t.MultiRegion), member.Or(in.global, t.Global)
	t.Validate = member.Or(in.validation, t.Validate)
	switch {
	case t.Bucket == "":
		return api.InvalidS3BucketNameException("Bucket name cannot be blank!")
	case !objects.ValidBucketName(t.Bucket):
		return api.InvalidS3BucketNameException("Invalid S3 bucket name: " + t.Bucket)
	case len(t.Prefix) > maxPrefix:
		return api.InvalidS3PrefixException(fmt.Sprintf("S3 prefix is longer than maximum length of %d characters.", maxPrefix))
	case t.MultiRegion && !t.Global:
		return api.InvalidParameterCombinationException("Multi-Region trail must include global service events.")
	case t.LogGroup != "" && t.LogRole == "":
		return api.InvalidCloudWatchLogsRoleArnException("You must specify a role ARN as well as a log group.")
	case t.LogGroup == "" && t.LogRole != "":
		return api.InvalidCloudWatchLogsLogGroupArnException("You must specify a log group as well as a role ARN.")
	}
	if _, ok := logs.GroupName(t.LogGroup, t.Account, t.Region); t.LogGroup != "" && !(ok && strings.HasSuffix(t.LogGroup, ":*")) {
		return errGroup
	}
	return nil
}

// errGroup refuses a log group that is none of the account's in the trail's home region.
var errGroup = api.InvalidCloudWatchLogsLogGroupArnException("Check the log group ARN: CloudTrail can't validate it.")

// loggable refuses a trail that could not deliver to its log group.
func (s *Service) loggable(ctx context.Context, t *trail.Trail) error {
	if t.LogGroup == "" {
		return nil
	}
	err := s.groups.MayLog(ctx, t)
	switch {
	case errors.Is(err, ErrNoGroup):
		return errGroup
	case errors.Is(err, ErrRole):
		return api.InvalidCloudWatchLogsRoleArnException("Access denied. Check the trust relationships for your role.")
	case errors.Is(err, ErrNotLogged):
		return api.InvalidCloudWatchLogsLogGroupArnException("Access denied. Check the permissions for your role.")
	}
	return err
}

// deliverable refuses a trail that could not deliver.
func (s *Service) deliverable(ctx context.Context, t *trail.Trail) error {
	err := s.buckets.MayDeliver(ctx, t)
	switch {
	case errors.Is(err, ErrNoBucket):
		return api.S3BucketDoesNotExistException("S3 bucket " + t.Bucket + " does not exist!")
	case errors.Is(err, ErrDenied):
		return api.InsufficientS3BucketPolicyException("Incorrect S3 bucket policy is detected for bucket: " + t.Bucket)
	case errors.Is(err, ErrNoKey):
		return api.KmsKeyNotFoundException("KMS key " + t.Key + " does not exist.")
	case errors.Is(err, ErrKeyDisabled):
		return api.KmsKeyDisabledException("KMS key " + t.Key + " is disabled.")
	case errors.Is(err, ErrKeyDenied):
		return api.InsufficientEncryptionPolicyException("Insufficient permissions to access S3 bucket " + t.Bucket + " or KMS key " + t.Key + ".")
	}
	return err
}

// CreateTrail makes a trail, which does not log yet.
func (s *Service) CreateTrail(ctx context.Context, in *api.CreateTrailInput) (*api.CreateTrailOutput, error) {
	c := auth.CallerFrom(ctx)
	tags, err := merge(nil, in.TagsList)
	if err != nil {
		return nil, err
	}
	t := trail.Trail{Account: c.Account, Region: c.Region, Name: *in.Name, ID: s.deps.IDs.Hex(32), Global: true, Selectors: trail.Everything(), Tags: tags}
	set := settings{in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn, in.KmsKeyId, in.S3BucketName, in.S3KeyPrefix, in.SnsTopicName,
		in.EnableLogFileValidation, in.IncludeGlobalServiceEvents, in.IsMultiRegionTrail, in.IsOrganizationTrail}
	for _, check := range []func() error{
		func() error { return checkName(t.Name) },
		set.unbuilt,
		func() error { return set.apply(&t, s.deps.Now().UTC()) },
		func() error { return s.deliverable(ctx, &t) },
		func() error { return s.loggable(ctx, &t) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		own, err := store.Collect(tables.Trails.List(tx, c.Account))
		if err != nil {
			return err
		}
		n := 0
		for _, o := range own {
			if o.Region == t.Region && o.Name == t.Name {
				return api.TrailAlreadyExistsException("Trail " + t.Name + " already exists for customer: " + c.Account)
			}
			if o.Covers(t.Region) {
				n++
			}
		}
		if n >= trail.MaxTrails {
			return api.MaximumNumberOfTrailsExceededException(fmt.Sprintf("User: %s already has %d trails in %s.", c.Account, n, c.Region))
		}
		return tables.Trails.Put(tx, &t)
	})
	if err != nil {
		return nil, err
	}
	v := shownTrail(&t)
	return &api.CreateTrailOutput{
		Name: v.Name, TrailARN: v.TrailARN, S3BucketName: v.S3BucketName, S3KeyPrefix: v.S3KeyPrefix, KmsKeyId: v.KmsKeyId,
		IncludeGlobalServiceEvents: v.IncludeGlobalServiceEvents, IsMultiRegionTrail: v.IsMultiRegionTrail,
		IsOrganizationTrail: v.IsOrganizationTrail, LogFileValidationEnabled: v.LogFileValidationEnabled,
		CloudWatchLogsLogGroupArn: v.CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn: v.CloudWatchLogsRoleArn,
	}, nil
}

// UpdateTrail changes a trail.
func (s *Service) UpdateTrail(ctx context.Context, in *api.UpdateTrailInput) (*api.UpdateTrailOutput, error) {
	set := settings{in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn, in.KmsKeyId, in.S3BucketName, in.S3KeyPrefix, in.SnsTopicName,
		in.EnableLogFileValidation, in.IncludeGlobalServiceEvents, in.IsMultiRegionTrail, in.IsOrganizationTrail}
	if err := set.unbuilt(); err != nil {
		return nil, err
	}
	now := s.deps.Now().UTC()
	var trial trail.Trail
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		trial, err = home(ctx, tx, *in.Name)
		return err
	})
	if err == nil {
		err = set.apply(&trial, now)
	}
	if err == nil {
		err = s.deliverable(ctx, &trial)
	}
	if err == nil && (in.CloudWatchLogsLogGroupArn != nil || in.CloudWatchLogsRoleArn != nil) {
		err = s.loggable(ctx, &trial)
	}
	if err != nil {
		return nil, err
	}
	t, err := s.change(ctx, *in.Name, func(_ store.Tx, t *trail.Trail) error {
		err := set.apply(t, now)
		if in.KmsKeyId != nil {
			t.Key = trial.Key
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	v := shownTrail(&t)
	return &api.UpdateTrailOutput{
		Name: v.Name, TrailARN: v.TrailARN, S3BucketName: v.S3BucketName, S3KeyPrefix: v.S3KeyPrefix, KmsKeyId: v.KmsKeyId,
		IncludeGlobalServiceEvents: v.IncludeGlobalServiceEvents, IsMultiRegionTrail: v.IsMultiRegionTrail,
		IsOrganizationTrail: v.IsOrganizationTrail, LogFileValidationEnabled: v.LogFileValidationEnabled,
		CloudWatchLogsLogGroupArn: v.CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn: v.CloudWatchLogsRoleArn,
	}, nil
}

// DeleteTrail removes a trail; its files stay. What happened while it logged is delivered
// still.
func (s *Service) DeleteTrail(ctx context.Context, in *api.DeleteTrailInput) (*api.DeleteTrailOutput, error) {
	return &api.DeleteTrailOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		t, err := home(ctx, tx, *in.Name)
		if err != nil {
			return err
		}
		if t.Since == 0 {
			return tables.Forget(tx, &t)
		}
		t.Stop(s.deps.Now().UTC())
		return tables.Retire(tx, t)
	})
}

// GetTrail shows a trail.
func (s *Service) GetTrail(ctx context.Context, in *api.GetTrailInput) (*api.GetTrailOutput, error) {
	t, err := s.view(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	return &api.GetTrailOutput{Trail: shownTrail(&t)}, nil
}

// DescribeTrails shows the trails that log in the region, or those of them that are
// named. Names of none are passed over.
func (s *Service) DescribeTrails(ctx context.Context, in *api.DescribeTrailsInput) (*api.DescribeTrailsOutput, error) {
	c := auth.CallerFrom(ctx)
	var named [][2]string
	for _, text := range in.TrailNameList {
		region, name, err := parse(c, text)
		if err != nil {
			return nil, err
		}
		named = append(named, [2]string{region, name})
	}
	shadows := member.Or(in.IncludeShadowTrails, true)
	out := &api.DescribeTrailsOutput{TrailList: []api.Trail{}}
	return out, s.deps.Store.View(ctx, func(tx store.Tx) error {
		for t, err := range tables.Trails.List(tx, c.Account) {
			if err != nil {
				return err
			}
			if !t.Covers(c.Region) || !shadows && t.Region != c.Region || len(named) > 0 && !slices.Contains(named, [2]string{t.Region, t.Name}) {
				continue
			}
			out.TrailList = append(out.TrailList, *shownTrail(&t))
		}
		return nil
	})
}

// pageSize is how many trails ListTrails answers at a time.
const pageSize = 50

// ListTrails lists the account's trails of all regions.
func (s *Service) ListTrails(ctx context.Context, in *api.ListTrailsInput) (*api.ListTrailsOutput, error) {
	c := auth.CallerFrom(ctx)
	scope := []string{"cloudtrail", "ListTrails", c.Account}
	var after []string
	if in.NextToken != nil {
		at, err := s.pages.Open(*in.NextToken, scope...)
		if err != nil {
			return nil, api.InvalidTokenException("The token is invalid.")
		}
		_, after = store.Segments(at)
	}
	var found []trail.Trail
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		found, err = store.Collect(tables.Trails.Page(tx, []string{c.Account}, after, pageSize+1))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListTrailsOutput{Trails: []api.TrailInfo{}}
	for i, t := range found {
		if i == pageSize {
			last := found[i-1]
			out.NextToken = new(s.pages.Seal(store.Key("", last.Account, last.Region, last.Name), scope...))
			break
		}
		out.Trails = append(out.Trails, api.TrailInfo{Name: &t.Name, HomeRegion: &t.Region, TrailARN: new(t.ARN())})
	}
	return out, nil
}

func shownTrail(t *trail.Trail) *api.Trail {
	v := &api.Trail{
		Name: &t.Name, TrailARN: new(t.ARN()), HomeRegion: &t.Region, S3BucketName: &t.Bucket, IncludeGlobalServiceEvents: &t.Global,
		IsMultiRegionTrail: &t.MultiRegion, IsOrganizationTrail: new(false), LogFileValidationEnabled: &t.Validate,
		HasCustomEventSelectors: &t.Custom, HasInsightSelectors: new(false),
	}
	if t.Prefix != "" {
		v.S3KeyPrefix = &t.Prefix
	}
	if t.Key != "" {
		v.KmsKeyId = &t.Key
	}
	if t.LogGroup != "" {
		v.CloudWatchLogsLogGroupArn, v.CloudWatchLogsRoleArn = &t.LogGroup, &t.LogRole
	}
	return v
}
