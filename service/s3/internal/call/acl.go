package call

import "net/http"

// ACL answers the only list of grants there is: everything to the owner.
func ACL(x *Request) error {
	who := Canonical(x.Bucket.Account)
	return x.Write(aclResult{Owner: who, Grants: []grant{{grantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", who.ID}, "FULL_CONTROL"}}})
}

type aclResult struct {
	XMLName XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ AccessControlPolicy"`
	Owner   Owner
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

// PutACL accepts the only list of grants there is.
func PutACL(x *Request) error {
	if err := x.NoACL(); err != nil {
		return err
	}
	text, err := x.Document()
	if err != nil {
		return err
	}
	if len(text) > 0 {
		var in aclInput
		if err := Parse(text, &in); err != nil {
			return err
		}
		own := Canonical(x.Bucket.Account).ID
		for _, g := range in.Grants {
			if g.Grantee.ID != own || g.Permission != "FULL_CONTROL" {
				return ErrACLsNotSupported
			}
		}
	} else if x.R.Header.Get("X-Amz-Acl") == "" {
		return Fail("MissingSecurityHeader", 400, "Your request was missing a required header", Element{"MissingHeaderName", "x-amz-acl"})
	}
	return x.OK(http.StatusOK)
}

type aclInput struct {
	XMLName XMLName `xml:"AccessControlPolicy"`
	Owner   Owner
	Grants  []grantInput `xml:"AccessControlList>Grant"`
}

type grantInput struct {
	Grantee    struct{ ID, URI, EmailAddress string }
	Permission string
}
