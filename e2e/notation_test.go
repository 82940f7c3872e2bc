package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/signer"
	signertypes "github.com/aws/aws-sdk-go-v2/service/signer/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/registry"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
	"github.com/notaryproject/notation-plugin-framework-go/plugin"
	orasregistry "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// notary is an account with what signs images and notation, which verifies them.
type notary struct {
	t              *testing.T
	ecr            *ecr.Client
	signer         *signer.Client
	endpoint, host string
	password       string
	roots          []*x509.Certificate // that notation trusts
	identity       string              // ARN of the profile that it trusts
}

func newNotary(t *testing.T) *notary {
	t.Helper()
	vars, err := shared.Account()
	check(t, err)
	n := &notary{t: t, endpoint: vars["AWS_ENDPOINT_URL"]}
	n.host = strings.TrimPrefix(n.endpoint, "http://")
	// GetRevocationStatus is at data-HOST, which nobody resolves here.
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, n.host)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(vars["AWS_REGION"]), config.WithBaseEndpoint(n.endpoint),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(h *http.Transport) { h.DialContext = dial })),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], "")))
	check(t, err)
	n.ecr, n.signer = ecr.NewFromConfig(cfg), signer.NewFromConfig(cfg)
	token, err := n.ecr.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	check(t, err)
	pair, err := base64.StdEncoding.DecodeString(*token.AuthorizationData[0].AuthorizationToken)
	check(t, err)
	_, n.password, _ = strings.Cut(string(pair), ":")
	resp, err := http.Get(n.endpoint + "/_neargate/signer-root.pem")
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate in %s", text)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	check(t, err)
	n.roots = []*x509.Certificate{root}
	return n
}

// profile makes a signing profile and returns its ARN.
func (n *notary) profile(called string) string {
	n.t.Helper()
	out, err := n.signer.PutSigningProfile(n.t.Context(), &signer.PutSigningProfileInput{
		ProfileName: &called, PlatformId: aws.String("Notation-OCI-SHA384-ECDSA"),
		SignatureValidityPeriod: &signertypes.SignatureValidityPeriod{Type: signertypes.ValidityTypeDays, Value: 30},
	})
	check(n.t, err)
	return *out.Arn
}

// push pushes an image that nobody has, waits until it is signed and returns its reference
// by digest.
func (n *notary) push(repo string) string {
	n.t.Helper()
	img, err := random.Image(64, 1)
	check(n.t, err)
	tag, err := name.NewTag(n.host+"/"+repo+":v1", name.Insecure)
	check(n.t, err)
	check(n.t, remote.Write(tag, img, remote.WithAuth(&authn.Basic{Username: "AWS", Password: n.password})))
	digest, err := img.Digest()
	check(n.t, err)
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := n.ecr.DescribeImageSigningStatus(n.t.Context(), &ecr.DescribeImageSigningStatusInput{
			RepositoryName: &repo, ImageId: &ecrtypes.ImageIdentifier{ImageDigest: aws.String(digest.String())},
		})
		check(n.t, err)
		s := out.SigningStatuses[0]
		switch {
		case s.Status == ecrtypes.SigningStatusComplete:
			return n.host + "/" + repo + "@" + digest.String()
		case s.Status == ecrtypes.SigningStatusFailed || time.Since(begin) > time.Minute:
			n.t.Fatalf("signing: %+v", s)
		}
	}
}

// verify has notation verify an image by the signatures in the registry.
func (n *notary) verify(reference string) (*notation.VerificationOutcome, error) {
	n.t.Helper()
	repository, err := orasregistry.NewRepository(strings.Split(reference, "@")[0])
	check(n.t, err)
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(n.host, auth.Credential{Username: "AWS", Password: n.password})}
	policy := &trustpolicy.Document{Version: "1.0", TrustPolicies: []trustpolicy.TrustPolicy{{
		Name: "signer", RegistryScopes: []string{"*"}, SignatureVerification: trustpolicy.SignatureVerification{VerificationLevel: "strict"},
		TrustStores: []string{"signingAuthority:aws-signer-ts"}, TrustedIdentities: []string{n.identity},
	}}}
	v, err := verifier.New(policy, n, n)
	check(n.t, err)
	_, outcomes, err := notation.Verify(n.t.Context(), v, registry.NewRepository(repository), notation.VerifyOptions{ArtifactReference: reference, MaxSignatureAttempts: 10})
	if err != nil {
		return nil, errors.Join(err, reasons(outcomes))
	}
	return outcomes[0], nil
}

// reasons is why no signature was good.
func reasons(outcomes []*notation.VerificationOutcome) (all error) {
	for _, o := range outcomes {
		all = errors.Join(all, o.Error)
	}
	return all
}

// GetCertificates implements truststore.X509TrustStore.
func (n *notary) GetCertificates(_ context.Context, kind truststore.Type, _ string) ([]*x509.Certificate, error) {
	if kind != truststore.TypeSigningAuthority {
		return nil, fmt.Errorf("no trust store of type %s", kind)
	}
	return n.roots, nil
}

// awsPlugin is what AWS calls the plugin of notation that its signatures ask for.
const awsPlugin = "com.amazonaws.signer.notation.plugin"

// Get implements notation's plugin.Manager.
func (n *notary) Get(_ context.Context, called string) (plugin.Plugin, error) {
	if called != awsPlugin {
		return nil, fmt.Errorf("no plugin %s", called)
	}
	return verifying{n: n}, nil
}

// List implements notation's plugin.Manager.
func (n *notary) List(context.Context) ([]string, error) { return []string{awsPlugin}, nil }

// verifying does what AWS's plugin does when it verifies: it compares the profile with the
// trusted identities, and asks AWS Signer whether anything was revoked.
type verifying struct {
	plugin.Plugin
	n *notary
}

func (verifying) GetMetadata(context.Context, *plugin.GetMetadataRequest) (*plugin.GetMetadataResponse, error) {
	return &plugin.GetMetadataResponse{
		Name: awsPlugin, Version: "1.0.0", SupportedContractVersions: []string{plugin.ContractVersion},
		Capabilities: []plugin.Capability{plugin.CapabilityTrustedIdentityVerifier, plugin.CapabilityRevocationCheckVerifier},
	}, nil
}

func (v verifying) VerifySignature(ctx context.Context, r *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	const profileAttribute, jobAttribute = "com.amazonaws.signer.signingProfileVersion", "com.amazonaws.signer.signingJob"
	profile, _ := r.Signature.CriticalAttributes.ExtendedAttributes[profileAttribute].(string)
	job, _ := r.Signature.CriticalAttributes.ExtendedAttributes[jobAttribute].(string)
	var hashes []string
	for _, der := range r.Signature.CertificateChain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		sum := sha512.Sum384(c.RawTBSCertificate)
		hashes = append(hashes, hex.EncodeToString(sum[:]))
	}
	for i := range hashes {
		hashes[i] += hashes[min(i+1, len(hashes)-1)]
	}
	status, err := v.n.signer.GetRevocationStatus(ctx, &signer.GetRevocationStatusInput{
		CertificateHashes: hashes, JobArn: &job, PlatformId: aws.String("Notation-OCI-SHA384-ECDSA"), ProfileVersionArn: &profile,
		SignatureTimestamp: r.Signature.CriticalAttributes.AuthenticSigningTime,
	})
	if err != nil {
		return nil, err
	}
	return &plugin.VerifySignatureResponse{
		VerificationResults: map[plugin.Capability]*plugin.VerificationResult{
			plugin.CapabilityTrustedIdentityVerifier: {
				Success: slices.Contains(r.TrustPolicy.TrustedIdentities, profile[:max(0, strings.LastIndexByte(profile, '/'))]), Reason: "by profile " + profile,
			},
			plugin.CapabilityRevocationCheckVerifier: {Success: len(status.RevokedEntities) == 0, Reason: fmt.Sprint("revoked: ", status.RevokedEntities)},
		},
		ProcessedAttributes: []any{profileAttribute, jobAttribute},
	}, nil
}

// otherRoot is a certificate authority that has signed nothing.
func otherRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	root, err := x509.ParseCertificate(der)
	check(t, err)
	return root
}

// TestNotation: what Amazon ECR has signed, the Notary Project's own library verifies, and
// nothing else.
func TestNotation(t *testing.T) {
	t.Parallel()
	n := newNotary(t)
	n.identity = n.profile("release")
	_, err := n.ecr.PutSigningConfiguration(t.Context(), &ecr.PutSigningConfigurationInput{SigningConfiguration: &ecrtypes.SigningConfiguration{
		Rules: []ecrtypes.SigningRule{{SigningProfileArn: &n.identity, RepositoryFilters: []ecrtypes.SigningRepositoryFilter{{
			Filter: aws.String("app*"), FilterType: ecrtypes.SigningRepositoryFilterTypeWildcardMatch,
		}}}}}})
	check(t, err)
	_, err = n.ecr.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")})
	check(t, err)
	image := n.push("app")
	outcome, err := n.verify(image)
	check(t, err)
	attributes := outcome.EnvelopeContent.SignerInfo.SignedAttributes
	if life := attributes.Expiry.Sub(attributes.SigningTime); attributes.SigningScheme != "notary.x509.signingAuthority" || life != 30*24*time.Hour {
		t.Errorf("signed by %s for %v", attributes.SigningScheme, life)
	}

	fails := func(what, text string) {
		t.Helper()
		if _, err := n.verify(image); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	trusted, roots := n.identity, n.roots
	n.identity = n.profile("another")
	fails("another identity", "failed with reason \"by profile "+trusted)
	n.identity = trusted
	n.roots = []*x509.Certificate{otherRoot(t)}
	fails("another root", "does not contain any trusted certificate")
	n.roots = roots
	_, err = n.verify(image)
	check(t, err)
	jobs, err := n.signer.ListSigningJobs(t.Context(), &signer.ListSigningJobsInput{})
	check(t, err)
	_, err = n.signer.RevokeSignature(t.Context(), &signer.RevokeSignatureInput{JobId: jobs.Jobs[0].JobId, Reason: aws.String("a mistake")})
	check(t, err)
	fails("revoked", "revocation check by verification plugin")
	image = n.push("app")
	_, err = n.verify(image)
	check(t, err)
	p, err := n.signer.GetSigningProfile(t.Context(), &signer.GetSigningProfileInput{ProfileName: aws.String("release")})
	check(t, err)
	_, err = n.signer.RevokeSigningProfile(t.Context(), &signer.RevokeSigningProfileInput{
		ProfileName: p.ProfileName, ProfileVersion: p.ProfileVersion, Reason: aws.String("stolen"), EffectiveTime: aws.Time(time.Now().Add(-time.Hour)),
	})
	check(t, err)
	fails("with a revoked profile", *p.ProfileVersionArn)
}
