package bucket

import (
	"net/http"
	"slices"

	"neargate/resource/objects"
	"neargate/service/s3/internal/bucketpolicy"
	"neargate/service/s3/internal/call"
)

// absent answers the GET of a configuration that a bucket does not have.
func absent(code, message string) func(*request) error {
	return func(x *request) error {
		return call.Fail(code, 404, message, call.With("BucketName", x.Bucket.Name))
	}
}

// same answers the GET of a configuration that is the same for all buckets.
func same(document any) func(*request) error {
	return func(x *request) error { return x.Write(document) }
}

// refused answers a request for what is not here.
func refused(what string) func(*request) error {
	return func(x *request) error {
		return call.Fail("NotImplemented", 501, what+" is not implemented")
	}
}

// gone answers the DELETE of a configuration that no bucket has.
func gone(x *request) error { return x.OK(http.StatusNoContent) }

// changed makes an operation that changes a bucket and answers a status.
func changed(status int, change func(*objects.Bucket)) func(*request) error {
	return func(x *request) error {
		if err := x.Update(func(b *objects.Bucket) error { change(b); return nil }); err != nil {
			return err
		}
		return x.OK(status)
	}
}

func getBucketTagging(x *request) error {
	if len(x.Bucket.Tags) == 0 {
		return call.Fail("NoSuchTagSet", 404, "The TagSet does not exist", call.With("BucketName", x.Bucket.Name))
	}
	return x.Write(call.TaggingDocument{Xmlns: call.Namespace, TagSet: call.TagSet{Tags: x.Bucket.Tags}})
}

func putBucketTagging(x *request) error {
	tags, err := x.Tags(50, "Bucket")
	if err != nil {
		return err
	}
	if err := x.Update(func(b *objects.Bucket) error { b.Tags = tags; return nil }); err != nil {
		return err
	}
	return x.OK(http.StatusNoContent)
}

func getBucketPolicy(x *request) error {
	if x.Bucket.Policy == "" {
		return call.Fail("NoSuchBucketPolicy", 404, "The bucket policy does not exist", call.With("BucketName", x.Bucket.Name))
	}
	x.Status, x.Sent = http.StatusOK, true
	x.Set("Content-Type", "application/json")
	x.W.WriteHeader(http.StatusOK)
	if _, err := x.W.Write([]byte(x.Bucket.Policy)); err != nil {
		x.Failed = err
	}
	return nil
}

func putBucketPolicy(x *request) error {
	text, err := x.Document()
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return call.Fail("MissingRequestBodyError", 400, "Request Body is empty")
	}
	if len(text) > bucketpolicy.MaxSize {
		return call.Fail("PolicyTooLarge", 400, "Policy is too large")
	}
	policy := string(text)
	if err := bucketpolicy.Check(policy, objects.BucketARN(x.Bucket.Region, x.Bucket.Name)); err != nil {
		return call.Fail("MalformedPolicy", 400, err.Error())
	}
	public := bucketpolicy.Public(policy)
	err = x.Update(func(b *objects.Bucket) error {
		if public && b.Block != nil && b.Block.Policy {
			return call.Fail("AccessDenied", 403, "User: "+x.Caller.ARN+" is not authorized to perform: s3:PutBucketPolicy on resource: \""+
				objects.BucketARN(b.Region, b.Name)+"\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.Policy = policy
		return nil
	})
	if err != nil {
		return err
	}
	return x.OK(http.StatusNoContent)
}

type policyStatusResult struct {
	XMLName  call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PolicyStatus"`
	IsPublic string
}

func getBucketPolicyStatus(x *request) error {
	if x.Bucket.Policy == "" {
		return call.Fail("NoSuchBucketPolicy", 404, "The bucket policy does not exist", call.With("BucketName", x.Bucket.Name))
	}
	out := policyStatusResult{IsPublic: "FALSE"}
	if bucketpolicy.Public(x.Bucket.Policy) {
		out.IsPublic = "TRUE"
	}
	return x.Write(out)
}

type blockDocument struct {
	XMLName               call.XMLName `xml:"PublicAccessBlockConfiguration"`
	Xmlns                 string       `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func getPublicAccessBlock(x *request) error {
	b := x.Bucket.Block
	if b == nil {
		return call.Fail("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found", call.With("BucketName", x.Bucket.Name))
	}
	return x.Write(blockDocument{call.XMLName{}, call.Namespace, b.Acls, b.Ignore, b.Policy, b.Restrict})
}

func putPublicAccessBlock(x *request) error {
	var in blockDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	block := &objects.Block{Acls: in.BlockPublicAcls, Ignore: in.IgnorePublicAcls, Policy: in.BlockPublicPolicy, Restrict: in.RestrictPublicBuckets}
	if err := x.Update(func(b *objects.Bucket) error { b.Block = block; return nil }); err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}

type ownershipDocument struct {
	XMLName call.XMLName                       `xml:"OwnershipControls"`
	Xmlns   string                             `xml:"xmlns,attr,omitempty"`
	Rules   []struct{ ObjectOwnership string } `xml:"Rule"`
}

func getBucketOwnershipControls(x *request) error {
	if x.Bucket.Ownership == "" {
		return call.Fail("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found", call.With("BucketName", x.Bucket.Name))
	}
	return x.Write(ownershipDocument{Xmlns: call.Namespace, Rules: []struct{ ObjectOwnership string }{{x.Bucket.Ownership}}})
}

func putBucketOwnershipControls(x *request) error {
	var in ownershipDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	if len(in.Rules) != 1 || !slices.Contains([]string{objects.OwnerEnforced, objects.OwnerPreferred, objects.ObjectWriter}, in.Rules[0].ObjectOwnership) {
		return call.ErrMalformedXML
	}
	if err := x.Update(func(b *objects.Bucket) error { b.Ownership = in.Rules[0].ObjectOwnership; return nil }); err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}

type encryptionDocument struct {
	XMLName call.XMLName     `xml:"ServerSideEncryptionConfiguration"`
	Xmlns   string           `xml:"xmlns,attr,omitempty"`
	Rules   []encryptionRule `xml:"Rule"`
}

type encryptionRule struct {
	Default struct {
		SSEAlgorithm   string
		KMSMasterKeyID string `xml:",omitempty"`
	} `xml:"ApplyServerSideEncryptionByDefault"`
	BucketKeyEnabled bool
	Blocked          *blockedTypes `xml:"BlockedEncryptionTypes"`
}

// blockedTypes are the kinds of encryption that writers may not ask for.
type blockedTypes struct {
	EncryptionType []string
}

// The two that there can be.
const (
	blocksNone     = "NONE"
	blocksCustomer = "SSE-C"
)

func getBucketEncryption(x *request) error {
	rule := encryptionRule{BucketKeyEnabled: x.Bucket.BucketKey, Blocked: &blockedTypes{[]string{blocksCustomer}}}
	if x.Bucket.CustomerKeys {
		rule.Blocked.EncryptionType[0] = blocksNone
	}
	rule.Default.SSEAlgorithm = "AES256"
	if e := x.Bucket.Encryption; e != nil {
		rule.Default.SSEAlgorithm, rule.Default.KMSMasterKeyID = "aws:kms", e.Key
	}
	return x.Write(encryptionDocument{Xmlns: call.Namespace, Rules: []encryptionRule{rule}})
}

func putBucketEncryption(x *request) error {
	var in encryptionDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	if len(in.Rules) != 1 {
		return call.ErrMalformedXML
	}
	var encryption *objects.DefaultEncryption
	switch d := in.Rules[0].Default; {
	case d.SSEAlgorithm == "AES256" && d.KMSMasterKeyID == "":
	case d.SSEAlgorithm == "AES256":
		return call.InvalidArgument("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse", "ApplyServerSideEncryptionByDefault", d.KMSMasterKeyID)
	case d.SSEAlgorithm == "aws:kms":
		encryption = &objects.DefaultEncryption{Key: d.KMSMasterKeyID}
	case d.SSEAlgorithm == "aws:kms:dsse":
		return call.Fail("NotImplemented", 501, "Dual-layer encryption is not implemented")
	default:
		return call.ErrMalformedXML
	}
	blocked := in.Rules[0].Blocked
	if blocked != nil && (len(blocked.EncryptionType) != 1 || blocked.EncryptionType[0] != blocksNone && blocked.EncryptionType[0] != blocksCustomer) {
		return call.ErrMalformedXML
	}
	err := x.Update(func(b *objects.Bucket) error {
		b.Encryption, b.BucketKey = encryption, in.Rules[0].BucketKeyEnabled
		if blocked != nil {
			b.CustomerKeys = blocked.EncryptionType[0] == blocksNone
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}

type requestPaymentDocument struct {
	XMLName call.XMLName `xml:"RequestPaymentConfiguration"`
	Xmlns   string       `xml:"xmlns,attr,omitempty"`
	Payer   string
}

func putBucketRequestPayment(x *request) error {
	var in requestPaymentDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	switch in.Payer {
	case "BucketOwner":
		return x.OK(http.StatusOK)
	case "Requester":
		return call.Fail("NotImplemented", 501, "Requester pays is not implemented")
	}
	return call.ErrMalformedXML
}

// emptyDocument is the configuration of what a bucket does not do.
type emptyDocument struct {
	XMLName call.XMLName
	Xmlns   string `xml:"xmlns,attr"`
}

// putNothing accepts a configuration that says to do nothing, and refuses any
// other.
func putNothing(root, what string) func(*request) error {
	return func(x *request) error {
		var in struct {
			XMLName call.XMLName
			Any     []struct {
				XMLName call.XMLName
				Text    string `xml:",chardata"`
			} `xml:",any"`
		}
		if err := x.Read(&in); err != nil {
			return err
		}
		if in.XMLName.Local != root {
			return call.ErrMalformedXML
		}
		for _, e := range in.Any {
			if e.XMLName.Local != "Status" || e.Text != objects.Suspended {
				return call.Fail("NotImplemented", 501, what+" is not implemented")
			}
		}
		return x.OK(http.StatusOK)
	}
}
