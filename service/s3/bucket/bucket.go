package bucket

import (
	"errors"
	"net/http"
	"strings"

	"neargate/arn"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
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
	XMLName            call.XMLName `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           *struct{ Type string }
	Bucket             *struct{ Type string }
	Tags               *call.TagSet
}

func createBucket(x *request) error {
	name := x.Place.Bucket
	if err := x.AllowIn(&objects.Bucket{Name: name, Account: x.Caller.Account}, "s3:CreateBucket", ""); err != nil {
		return err
	}
	if !objects.ValidBucketName(name) {
		return call.Fail("InvalidBucketName", 400, "The specified bucket is not valid.", call.With("BucketName", name))
	}
	b := objects.NewBucket(name, x.Caller.Account, x.Region, x.Now(), x.IDs)
	if err := readCreate(x, &b); err != nil {
		return err
	}
	again := false
	err := x.Store.Update(x.Ctx, func(tx store.Tx) error {
		again = false
		had, ok, err := buckets.Buckets.Find(tx, name)
		switch {
		case err != nil:
			return err
		case ok && had.Account != b.Account:
			return call.Fail("BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", call.With("BucketName", name))
		case ok && (b.Region != arn.DefaultRegion || had.Region != b.Region):
			return call.Fail("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.", call.With("BucketName", name))
		case ok:
			again = true
			return nil
		case buckets.Buckets.CountBy(tx, buckets.ByAccount, b.Account) >= maxBuckets:
			return call.Fail("TooManyBuckets", 400, "You have attempted to create more buckets than allowed")
		}
		return buckets.Buckets.Put(tx, &b)
	})
	if err != nil {
		return err
	}
	x.Set("Location", "/"+name)
	if !again {
		x.Set("x-amz-bucket-arn", objects.BucketARN(x.Region, name))
	}
	return x.OK(http.StatusOK)
}

// readCreate reads what a new bucket is to be.
func readCreate(x *request, b *objects.Bucket) error {
	h := x.R.Header
	if err := x.NoACL(); err != nil {
		return call.Fail("InvalidBucketAclWithObjectOwnership", 400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	if h.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return call.Fail("NotImplemented", 501, call.ErrNotImplemented.Message, call.With("Header", "x-amz-bucket-object-lock-enabled"))
	}
	switch v := h.Get("X-Amz-Object-Ownership"); v {
	case "":
	case objects.OwnerEnforced, objects.OwnerPreferred, objects.ObjectWriter:
		b.Ownership = v
	default:
		return call.InvalidArgument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", v)
	}
	text, err := x.Document()
	if err != nil {
		return err
	}
	var in createBucketInput
	if len(text) > 0 {
		if err := call.Parse(text, &in); err != nil {
			return err
		}
	}
	if in.Location != nil || in.Bucket != nil {
		return call.Fail("NotImplemented", 501, "Directory buckets are not implemented")
	}
	if in.Tags != nil {
		if err := call.CheckTags(in.Tags.Tags, 50, "Bucket"); err != nil {
			return err
		}
		if err := x.AllowIn(&objects.Bucket{Name: b.Name, Account: b.Account}, "s3:TagResource", ""); err != nil {
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
		return call.Fail("IllegalLocationConstraintException", 400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case wanted == arn.DefaultRegion, wanted != "" && !arn.KnownRegion(wanted):
		return call.Fail("InvalidLocationConstraint", 400, "The specified location-constraint is not valid", call.With("LocationConstraint", wanted))
	case wanted != "" && b.Region != arn.DefaultRegion && wanted != b.Region:
		return call.Fail("IllegalLocationConstraintException", 400, "The "+wanted+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	case wanted != "":
		b.Region = wanted
	}
	return nil
}

func headBucket(x *request) error {
	x.Set("x-amz-bucket-arn", objects.BucketARN(x.Bucket.Region, x.Bucket.Name))
	x.Set("x-amz-bucket-region", x.Bucket.Region)
	x.Set("x-amz-access-point-alias", "false")
	x.Set("Content-Type", "application/xml")
	return x.OK(http.StatusOK)
}

func deleteBucket(x *request) error {
	err := x.Engine.Drop(x.Bucket.ID, func() error {
		return x.Store.Update(x.Ctx, func(tx store.Tx) error {
			b, ok, err := buckets.Buckets.Find(tx, x.Bucket.Name)
			if err != nil || !ok || b.ID != x.Bucket.ID {
				return errors.Join(err, objects.ErrNoBucket)
			}
			return buckets.Buckets.Delete(tx, x.Bucket.Name)
		})
	})
	if err != nil {
		return err
	}
	return x.OK(http.StatusNoContent)
}

type listBucketsResult struct {
	XMLName           call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner             call.Owner
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
	if v := x.Query.Get("max-buckets"); v != "" {
		n, err := x.Number("max-buckets", objects.MaxPage)
		if err != nil {
			return err
		}
		if n < 1 {
			return call.InvalidArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", v)
		}
		most = n
	}
	after := ""
	if v := x.Query.Get("continuation-token"); v != "" {
		var err error
		if after, err = call.Untoken(v); err != nil {
			return err
		}
	}
	out := listBucketsResult{Owner: call.Canonical(x.Caller.Account), Prefix: x.Query.Get("prefix")}
	region := x.Query.Get("bucket-region")
	paged := x.Query.Has("max-buckets") || region != "" || out.Prefix != ""
	err := x.Store.View(x.Ctx, func(tx store.Tx) error {
		for b, err := range buckets.Buckets.By(tx, buckets.ByAccount, x.Caller.Account) {
			if err != nil {
				return err
			}
			if b.Name <= after || !strings.HasPrefix(b.Name, out.Prefix) || region != "" && b.Region != region {
				continue
			}
			if len(out.Buckets.Bucket) == most {
				out.ContinuationToken = call.Token(out.Buckets.Bucket[most-1].Name)
				return nil
			}
			item := listedBucket{Name: b.Name, CreationDate: call.Stamp(b.CreatedAt)}
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
	return x.Write(out)
}

type locationResult struct {
	XMLName  call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Location string       `xml:",chardata"`
}

func getBucketLocation(x *request) error {
	out := locationResult{Location: x.Bucket.Region}
	if out.Location == arn.DefaultRegion {
		out.Location = ""
	}
	return x.Write(out)
}

type versioningDocument struct {
	XMLName   call.XMLName `xml:"VersioningConfiguration"`
	Xmlns     string       `xml:"xmlns,attr,omitempty"`
	Status    string       `xml:",omitempty"`
	MFADelete string       `xml:"MfaDelete,omitempty"`
}

func getBucketVersioning(x *request) error {
	return x.Write(versioningDocument{Xmlns: call.Namespace, Status: x.Bucket.Versioning})
}

func putBucketVersioning(x *request) error {
	var in versioningDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	switch {
	case in.MFADelete == "Enabled":
		return call.Fail("NotImplemented", 501, "MFA delete is not implemented")
	case in.Status == "" && in.MFADelete == "":
		return call.Fail("IllegalVersioningConfigurationException", 400, "The Versioning call.Element must be specified")
	case in.Status != objects.Enabled && in.Status != objects.Suspended:
		return call.ErrMalformedXML
	}
	if err := x.Update(func(b *objects.Bucket) error { b.Versioning = in.Status; return nil }); err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}
