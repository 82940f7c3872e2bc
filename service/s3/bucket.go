package s3

import (
	"errors"
	"net/http"
	"strings"

	"neargate/arn"
	"neargate/resource/objects"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// maxBuckets is how many buckets an account may have, and maxListed how many a
// page lists.
const (
	maxBuckets = 10000
	maxListed  = 10000
)

type createBucketInput struct {
	XMLName            xmlName `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           *struct{ Type string }
	Bucket             *struct{ Type string }
	Tags               *tagSet
}

func createBucket(x *request) error {
	name := x.place.bucket
	if err := x.allowIn(&objects.Bucket{Name: name, Account: x.caller.Account}, "s3:CreateBucket", ""); err != nil {
		return err
	}
	if !objects.ValidBucketName(name) {
		return fail("InvalidBucketName", 400, "The specified bucket is not valid.", element{"BucketName", name})
	}
	b := objects.NewBucket(name, x.caller.Account, x.region, x.cfg.Now(), x.cfg.IDs)
	if err := x.readCreate(&b); err != nil {
		return err
	}
	again := false
	err := x.cfg.Store.Update(x.ctx, func(tx store.Tx) error {
		again = false
		had, ok, err := buckets.Buckets.Find(tx, name)
		switch {
		case err != nil:
			return err
		case ok && had.Account != b.Account:
			return fail("BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", element{"BucketName", name})
		case ok && (b.Region != arn.DefaultRegion || had.Region != b.Region):
			return fail("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.", element{"BucketName", name})
		case ok:
			again = true
			return nil
		case buckets.Buckets.CountBy(tx, buckets.ByAccount, b.Account) >= maxBuckets:
			return fail("TooManyBuckets", 400, "You have attempted to create more buckets than allowed")
		}
		return buckets.Buckets.Put(tx, &b)
	})
	if err != nil {
		return err
	}
	x.set("Location", "/"+name)
	if !again {
		x.set("x-amz-bucket-arn", objects.BucketARN(x.region, name))
	}
	return x.ok(http.StatusOK)
}

// readCreate reads what a new bucket is to be.
func (x *request) readCreate(b *objects.Bucket) error {
	h := x.r.Header
	if err := x.noACL(); err != nil {
		return fail("InvalidBucketAclWithObjectOwnership", 400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	if h.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return fail("NotImplemented", 501, errNotImplemented.message, element{"Header", "x-amz-bucket-object-lock-enabled"})
	}
	switch v := h.Get("X-Amz-Object-Ownership"); v {
	case "":
	case objects.OwnerEnforced, objects.OwnerPreferred, objects.ObjectWriter:
		b.Ownership = v
	default:
		return invalidArgument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", v)
	}
	text, err := x.document()
	if err != nil {
		return err
	}
	var in createBucketInput
	if len(text) > 0 {
		if err := parse(text, &in); err != nil {
			return err
		}
	}
	if in.Location != nil || in.Bucket != nil {
		return fail("NotImplemented", 501, "Directory buckets are not implemented")
	}
	if in.Tags != nil {
		if err := checkTags(in.Tags.Tags, 50, "Bucket"); err != nil {
			return err
		}
		if err := x.allowIn(&objects.Bucket{Name: b.Name, Account: b.Account}, "s3:TagResource", ""); err != nil {
			return err
		}
		b.Tags = in.Tags.Tags
	}
	wanted := in.LocationConstraint
	if wanted == "EU" {
		wanted = "eu-west-1"
	}
	switch {
	case wanted == "" && b.Region != arn.DefaultRegion:
		return fail("IllegalLocationConstraintException", 400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case wanted == arn.DefaultRegion, wanted != "" && !arn.KnownRegion(wanted):
		return fail("InvalidLocationConstraint", 400, "The specified location-constraint is not valid", element{"LocationConstraint", wanted})
	case wanted != "" && b.Region != arn.DefaultRegion && wanted != b.Region:
		return fail("IllegalLocationConstraintException", 400, "The "+wanted+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	case wanted != "":
		b.Region = wanted
	}
	return nil
}

func headBucket(x *request) error {
	x.set("x-amz-bucket-arn", objects.BucketARN(x.bucket.Region, x.bucket.Name))
	x.set("x-amz-access-point-alias", "false")
	x.set("Content-Type", "application/xml")
	return x.ok(http.StatusOK)
}

func deleteBucket(x *request) error {
	err := x.cfg.Engine.Drop(x.bucket.ID, func() error {
		return x.cfg.Store.Update(x.ctx, func(tx store.Tx) error {
			b, ok, err := buckets.Buckets.Find(tx, x.bucket.Name)
			if err != nil || !ok || b.ID != x.bucket.ID {
				return errors.Join(err, objects.ErrNoBucket)
			}
			return buckets.Buckets.Delete(tx, x.bucket.Name)
		})
	})
	if err != nil {
		return err
	}
	return x.ok(http.StatusNoContent)
}

type listBucketsResult struct {
	XMLName           xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner             owner
	Buckets           listedBuckets
	ContinuationToken string `xml:",omitempty"`
	Prefix            string `xml:",omitempty"`
}

type listedBuckets struct {
	Bucket []listedBucket
}

type listedBucket struct {
	Name         string
	CreationDate string
	BucketRegion string `xml:",omitempty"`
	BucketArn    string `xml:",omitempty"`
}

func listBuckets(x *request) error {
	most := maxListed
	if v := x.query.Get("max-buckets"); v != "" {
		n, err := x.number("max-buckets", objects.MaxPage)
		if err != nil {
			return err
		}
		if n < 1 {
			return invalidArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", v)
		}
		most = n
	}
	after := ""
	if v := x.query.Get("continuation-token"); v != "" {
		var err error
		if after, err = untoken(v); err != nil {
			return err
		}
	}
	out := listBucketsResult{Owner: canonical(x.caller.Account), Prefix: x.query.Get("prefix")}
	region := x.query.Get("bucket-region")
	paged := x.query.Has("max-buckets") || region != "" || out.Prefix != ""
	err := x.cfg.Store.View(x.ctx, func(tx store.Tx) error {
		for b, err := range buckets.Buckets.By(tx, buckets.ByAccount, x.caller.Account) {
			if err != nil {
				return err
			}
			if b.Name <= after || !strings.HasPrefix(b.Name, out.Prefix) || region != "" && b.Region != region {
				continue
			}
			if len(out.Buckets.Bucket) == most {
				out.ContinuationToken = token(out.Buckets.Bucket[most-1].Name)
				return nil
			}
			item := listedBucket{Name: b.Name, CreationDate: stamp(b.CreatedAt)}
			if paged {
				item.BucketRegion, item.BucketArn = b.Region, objects.BucketARN(b.Region, b.Name)
			}
			out.Buckets.Bucket = append(out.Buckets.Bucket, item)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.write(out)
}

type locationResult struct {
	XMLName  xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Location string  `xml:",chardata"`
}

func getBucketLocation(x *request) error {
	out := locationResult{Location: x.bucket.Region}
	if out.Location == arn.DefaultRegion {
		out.Location = ""
	}
	return x.write(out)
}

// update changes the bucket's record.
func (x *request) update(change func(*objects.Bucket) error) error {
	return x.cfg.Store.Update(x.ctx, func(tx store.Tx) error {
		b, ok, err := buckets.Buckets.Find(tx, x.bucket.Name)
		if err != nil {
			return err
		}
		if !ok || b.ID != x.bucket.ID {
			return objects.ErrNoBucket
		}
		if err := change(&b); err != nil {
			return err
		}
		return buckets.Buckets.Put(tx, &b)
	})
}

type versioningDocument struct {
	XMLName   xmlName `xml:"VersioningConfiguration"`
	Xmlns     string  `xml:"xmlns,attr,omitempty"`
	Status    string  `xml:",omitempty"`
	MFADelete string  `xml:"MfaDelete,omitempty"`
}

func getBucketVersioning(x *request) error {
	return x.write(versioningDocument{Xmlns: namespace, Status: x.bucket.Versioning})
}

func putBucketVersioning(x *request) error {
	var in versioningDocument
	if err := x.read(&in); err != nil {
		return err
	}
	switch {
	case in.MFADelete == "Enabled":
		return fail("NotImplemented", 501, "MFA delete is not implemented")
	case in.Status == "" && in.MFADelete == "":
		return fail("IllegalVersioningConfigurationException", 400, "The Versioning element must be specified")
	case in.Status != objects.Enabled && in.Status != objects.Suspended:
		return errMalformedXML
	}
	if err := x.update(func(b *objects.Bucket) error { b.Versioning = in.Status; return nil }); err != nil {
		return err
	}
	return x.ok(http.StatusOK)
}
