package s3

import (
	"encoding/xml"
	"net/http"
	"slices"

	"neargate/resource/objects"
	"neargate/service/s3/internal/bucketpolicy"
)

func parse(text []byte, into any) error {
	if err := xml.Unmarshal(text, into); err != nil {
		return errMalformedXML
	}
	return nil
}

// absent answers the GET of a configuration that a bucket does not have.
func absent(code, message string) func(*request) error {
	return func(x *request) error { return fail(code, 404, message, element{"BucketName", x.bucket.Name}) }
}

// same answers the GET of a configuration that is the same for all buckets.
func same(document any) func(*request) error {
	return func(x *request) error { return x.write(document) }
}

// refused answers a request for what is not here.
func refused(what string) func(*request) error {
	return func(x *request) error {
		return fail("NotImplemented", 501, what+" is not implemented")
	}
}

// gone answers the DELETE of a configuration that no bucket has.
func gone(x *request) error { return x.ok(http.StatusNoContent) }

// changed makes an operation that changes a bucket and answers a status.
func changed(status int, change func(*objects.Bucket)) func(*request) error {
	return func(x *request) error {
		if err := x.update(func(b *objects.Bucket) error { change(b); return nil }); err != nil {
			return err
		}
		return x.ok(status)
	}
}

func getBucketTagging(x *request) error {
	if len(x.bucket.Tags) == 0 {
		return fail("NoSuchTagSet", 404, "The TagSet does not exist", element{"BucketName", x.bucket.Name})
	}
	return x.write(taggingDocument{Xmlns: namespace, TagSet: tagSet{x.bucket.Tags}})
}

func putBucketTagging(x *request) error {
	tags, err := x.tags(50, "Bucket")
	if err != nil {
		return err
	}
	if err := x.update(func(b *objects.Bucket) error { b.Tags = tags; return nil }); err != nil {
		return err
	}
	return x.ok(http.StatusNoContent)
}

func getBucketPolicy(x *request) error {
	if x.bucket.Policy == "" {
		return fail("NoSuchBucketPolicy", 404, "The bucket policy does not exist", element{"BucketName", x.bucket.Name})
	}
	x.status, x.sent = http.StatusOK, true
	x.set("Content-Type", "application/json")
	x.w.WriteHeader(http.StatusOK)
	if _, err := x.w.Write([]byte(x.bucket.Policy)); err != nil {
		x.failed = err
	}
	return nil
}

func putBucketPolicy(x *request) error {
	text, err := x.document()
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return fail("MissingRequestBodyError", 400, "Request Body is empty")
	}
	if len(text) > bucketpolicy.MaxSize {
		return fail("PolicyTooLarge", 400, "Policy is too large")
	}
	policy := string(text)
	if err := bucketpolicy.Check(policy, objects.BucketARN(x.bucket.Region, x.bucket.Name)); err != nil {
		return fail("MalformedPolicy", 400, err.Error())
	}
	public := bucketpolicy.Public(policy)
	err = x.update(func(b *objects.Bucket) error {
		if public && b.Block != nil && b.Block.Policy {
			return fail("AccessDenied", 403, "User: "+x.caller.ARN+" is not authorized to perform: s3:PutBucketPolicy on resource: \""+
				objects.BucketARN(b.Region, b.Name)+"\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.Policy = policy
		return nil
	})
	if err != nil {
		return err
	}
	return x.ok(http.StatusNoContent)
}

type policyStatusResult struct {
	XMLName  xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PolicyStatus"`
	IsPublic string
}

func getBucketPolicyStatus(x *request) error {
	if x.bucket.Policy == "" {
		return fail("NoSuchBucketPolicy", 404, "The bucket policy does not exist", element{"BucketName", x.bucket.Name})
	}
	out := policyStatusResult{IsPublic: "FALSE"}
	if bucketpolicy.Public(x.bucket.Policy) {
		out.IsPublic = "TRUE"
	}
	return x.write(out)
}

type blockDocument struct {
	XMLName               xmlName `xml:"PublicAccessBlockConfiguration"`
	Xmlns                 string  `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func getPublicAccessBlock(x *request) error {
	b := x.bucket.Block
	if b == nil {
		return fail("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found", element{"BucketName", x.bucket.Name})
	}
	return x.write(blockDocument{xmlName{}, namespace, b.Acls, b.Ignore, b.Policy, b.Restrict})
}

func putPublicAccessBlock(x *request) error {
	var in blockDocument
	if err := x.read(&in); err != nil {
		return err
	}
	block := &objects.Block{Acls: in.BlockPublicAcls, Ignore: in.IgnorePublicAcls, Policy: in.BlockPublicPolicy, Restrict: in.RestrictPublicBuckets}
	if err := x.update(func(b *objects.Bucket) error { b.Block = block; return nil }); err != nil {
		return err
	}
	return x.ok(http.StatusOK)
}

type ownershipDocument struct {
	XMLName xmlName                            `xml:"OwnershipControls"`
	Xmlns   string                             `xml:"xmlns,attr,omitempty"`
	Rules   []struct{ ObjectOwnership string } `xml:"Rule"`
}

func getBucketOwnershipControls(x *request) error {
	if x.bucket.Ownership == "" {
		return fail("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found", element{"BucketName", x.bucket.Name})
	}
	return x.write(ownershipDocument{Xmlns: namespace, Rules: []struct{ ObjectOwnership string }{{x.bucket.Ownership}}})
}

func putBucketOwnershipControls(x *request) error {
	var in ownershipDocument
	if err := x.read(&in); err != nil {
		return err
	}
	if len(in.Rules) != 1 || !slices.Contains([]string{objects.OwnerEnforced, objects.OwnerPreferred, objects.ObjectWriter}, in.Rules[0].ObjectOwnership) {
		return errMalformedXML
	}
	if err := x.update(func(b *objects.Bucket) error { b.Ownership = in.Rules[0].ObjectOwnership; return nil }); err != nil {
		return err
	}
	return x.ok(http.StatusOK)
}

type aclResult struct {
	XMLName xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ AccessControlPolicy"`
	Owner   owner
	Grants  []grant `xml:"AccessControlList>Grant"`
}

type grant struct {
	Grantee    grantee
	Permission string
}

type grantee struct {
	Xmlns string `xml:"xmlns:xsi,attr"`
	Type  string `xml:"xsi:type,attr"`
	ID    string
}

// acl answers the only list of grants there is: everything to the owner.
func acl(x *request) error {
	who := canonical(x.bucket.Account)
	return x.write(aclResult{Owner: who, Grants: []grant{{grantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", who.ID}, "FULL_CONTROL"}}})
}

func getObjectACL(x *request) error {
	id, err := x.version()
	if err != nil {
		return err
	}
	v, err := x.cfg.Engine.Find(x.bucket.ID, x.place.key, id)
	if err != nil {
		return x.missing(&x.bucket, err)
	}
	if err := x.present(&v); err != nil {
		return err
	}
	x.versionID(v.ID)
	return acl(x)
}

type aclInput struct {
	XMLName xmlName `xml:"AccessControlPolicy"`
	Owner   owner
	Grants  []grantInput `xml:"AccessControlList>Grant"`
}

type grantInput struct {
	Grantee    struct{ ID, URI, EmailAddress string }
	Permission string
}

// putACL accepts the only list of grants there is.
func putACL(x *request) error {
	if err := x.noACL(); err != nil {
		return err
	}
	text, err := x.document()
	if err != nil {
		return err
	}
	if len(text) > 0 {
		var in aclInput
		if err := parse(text, &in); err != nil {
			return err
		}
		own := canonical(x.bucket.Account).ID
		for _, g := range in.Grants {
			if g.Grantee.ID != own || g.Permission != "FULL_CONTROL" {
				return errACLsNotSupported
			}
		}
	} else if x.r.Header.Get("X-Amz-Acl") == "" {
		return fail("MissingSecurityHeader", 400, "Your request was missing a required header", element{"MissingHeaderName", "x-amz-acl"})
	}
	return x.ok(http.StatusOK)
}

type encryptionDocument struct {
	XMLName xmlName          `xml:"ServerSideEncryptionConfiguration"`
	Xmlns   string           `xml:"xmlns,attr,omitempty"`
	Rules   []encryptionRule `xml:"Rule"`
}

type encryptionRule struct {
	Default struct {
		SSEAlgorithm   string
		KMSMasterKeyID string `xml:",omitempty"`
	} `xml:"ApplyServerSideEncryptionByDefault"`
	BucketKeyEnabled bool
}

func getBucketEncryption(x *request) error {
	rule := encryptionRule{BucketKeyEnabled: x.bucket.BucketKey}
	rule.Default.SSEAlgorithm = "AES256"
	return x.write(encryptionDocument{Xmlns: namespace, Rules: []encryptionRule{rule}})
}

func putBucketEncryption(x *request) error {
	var in encryptionDocument
	if err := x.read(&in); err != nil {
		return err
	}
	if len(in.Rules) != 1 {
		return errMalformedXML
	}
	switch d := in.Rules[0].Default; {
	case d.SSEAlgorithm == "AES256" && d.KMSMasterKeyID == "":
	case d.SSEAlgorithm == "AES256":
		return invalidArgument("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse", "ApplyServerSideEncryptionByDefault", d.KMSMasterKeyID)
	case d.SSEAlgorithm == "aws:kms", d.SSEAlgorithm == "aws:kms:dsse":
		return fail("NotImplemented", 501, "Encryption with keys of AWS KMS is not implemented")
	default:
		return errMalformedXML
	}
	if err := x.update(func(b *objects.Bucket) error { b.BucketKey = in.Rules[0].BucketKeyEnabled; return nil }); err != nil {
		return err
	}
	return x.ok(http.StatusOK)
}

type requestPaymentDocument struct {
	XMLName xmlName `xml:"RequestPaymentConfiguration"`
	Xmlns   string  `xml:"xmlns,attr,omitempty"`
	Payer   string
}

func putBucketRequestPayment(x *request) error {
	var in requestPaymentDocument
	if err := x.read(&in); err != nil {
		return err
	}
	switch in.Payer {
	case "BucketOwner":
		return x.ok(http.StatusOK)
	case "Requester":
		return fail("NotImplemented", 501, "Requester pays is not implemented")
	}
	return errMalformedXML
}

// emptyDocument is the configuration of what a bucket does not do.
type emptyDocument struct {
	XMLName xmlName
	Xmlns   string `xml:"xmlns,attr"`
}

// putNothing accepts a configuration that says to do nothing, and refuses any
// other.
func putNothing(root, what string) func(*request) error {
	return func(x *request) error {
		var in struct {
			XMLName xmlName
			Any     []struct {
				XMLName xmlName
				Text    string `xml:",chardata"`
			} `xml:",any"`
		}
		if err := x.read(&in); err != nil {
			return err
		}
		if in.XMLName.Local != root {
			return errMalformedXML
		}
		for _, e := range in.Any {
			if e.XMLName.Local != "Status" || e.Text != objects.Suspended {
				return fail("NotImplemented", 501, what+" is not implemented")
			}
		}
		return x.ok(http.StatusOK)
	}
}
