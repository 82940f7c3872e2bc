package flow

import (
	"encoding/json"

	"neargate/auth"
	"neargate/resource/network/edge"
	"neargate/resource/objects"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables/buckets"
)

// bucket reports whether the flow log's records may be written to its bucket, if
// that is where they go. Where the bucket's policy does not say so yet, and the
// caller may change it, it is made to. Source: Amazon VPC User Guide, Amazon S3
// bucket permissions for flow logs.
func (s *Handler) bucket(sc call.Scope, f *edge.FlowLog) (bool, error) {
	if f.Type != edge.ToBucket {
		return true, nil
	}
	name, folder := f.Bucket()
	b, found, err := buckets.Buckets.Find(sc.Tx, name)
	if err != nil || !found {
		return false, err
	}
	own := objects.BucketARN(b.Region, b.Name)
	under := own + "/"
	if folder != "" {
		under += folder + "/"
	}
	under += "AWSLogs/" + f.Account + "/"
	writes, err := may(b.Policy, "s3:PutObject", under+"vpcflowlogs/x", f)
	if err != nil {
		return false, err
	}
	looks, err := may(b.Policy, "s3:GetBucketAcl", own, f)
	if err != nil || writes && looks {
		return writes && looks, err
	}
	for _, action := range []string{"s3:GetBucketPolicy", "s3:PutBucketPolicy"} {
		ok, err := auth.AllowsForwarded(sc.Tx, sc.Caller, edge.DeliveryPrincipal, action, own, s.Deps.Now())
		if err != nil || !ok || b.Account != f.Account {
			return false, err
		}
	}
	if b.Policy, err = permit(b.Policy, own, under+"*", f); err != nil {
		return false, err
	}
	return true, buckets.Buckets.Put(sc.Tx, &b)
}

// may reports whether a bucket's policy lets the flow log be delivered.
func may(policy, action, resource string, f *edge.FlowLog) (bool, error) {
	return auth.ServiceMayUse(policy, edge.DeliveryPrincipal, action, resource, f.Account, edge.DeliverySource(f.Account, f.Region))
}

// document is a bucket's policy as far as it is added to.
type document struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement statements
}

// statements is one statement or a list of them.
type statements []json.RawMessage

// UnmarshalJSON reads either.
func (s *statements) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) == nil {
		*s = list
		return nil
	}
	*s = statements{b}
	return nil
}

type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    string
	Resource  string
	Condition map[string]map[string]string
}

// permit adds to a policy what a flow log's delivery needs.
func permit(policy, bucket, under string, f *edge.FlowLog) (string, error) {
	d := document{Version: "2012-10-17", ID: "AWSLogDeliveryWrite20150319"}
	if policy != "" {
		d.ID = ""
		if err := json.Unmarshal([]byte(policy), &d); err != nil {
			return "", err
		}
	}
	for _, x := range []struct{ sid, action, resource string }{
		{"AWSLogDeliveryWrite1", "s3:PutObject", under}, {"AWSLogDeliveryAclCheck1", "s3:GetBucketAcl", bucket},
	} {
		equals := map[string]string{"aws:SourceAccount": f.Account}
		if x.resource == under {
			equals["s3:x-amz-acl"] = "bucket-owner-full-control"
		}
		b, err := json.Marshal(statement{
			Sid: x.sid, Effect: "Allow", Principal: map[string]string{"Service": edge.DeliveryPrincipal}, Action: x.action, Resource: x.resource,
			Condition: map[string]map[string]string{"StringEquals": equals, "ArnLike": {"aws:SourceArn": edge.DeliverySource(f.Account, f.Region)}},
		})
		if err != nil {
			return "", err
		}
		d.Statement = append(d.Statement, b)
	}
	b, err := json.Marshal(d)
	return string(b), err
}
