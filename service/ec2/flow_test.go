package ec2

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/resource/identity"
	"neargate/resource/network/edge"
	"neargate/resource/objects"
	"neargate/store/tables/buckets"
	"neargate/store/tables/edges"
)

const (
	flowRole  = "arn:aws:iam::123456789012:role/flow"
	flowGroup = "/vpc/flows"
)

// logged is a request for a flow log of a VPC in a log group.
func logged(vpc string) wire.CreateFlowLogsInput {
	return wire.CreateFlowLogsInput{ResourceIds: []string{vpc}, ResourceType: new("VPC"), TrafficType: new("ALL"),
		LogGroupName: new(flowGroup), DeliverLogsPermissionArn: new(flowRole)}
}

func TestFlowLog(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	in := logged(f.Vpc.ID)
	in.TagSpecifications = []wire.TagSpecification{{ResourceType: new("vpc-flow-log"), Tags: []wire.Tag{{Key: new("a"), Value: new("b")}}}}
	in.ClientToken = new("once")
	made := must(b, b.CreateFlowLogs, in)
	if len(made.FlowLogIds) != 1 || *made.ClientToken != "once" || len(made.Unsuccessful) != 0 {
		t.Fatalf("%+v", made)
	}
	if again := must(b, b.CreateFlowLogs, in); !reflect.DeepEqual(again.FlowLogIds, made.FlowLogIds) {
		t.Errorf("the same request made %v", again.FlowLogIds)
	}
	other := in
	other.TrafficType = new("REJECT")
	fails(b, b.CreateFlowLogs, other, "IdempotentParameterMismatch", "")
	in.ClientToken = nil
	fails(b, b.CreateFlowLogs, in, "FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
	id := made.FlowLogIds[0]
	got := must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{FlowLogIds: []string{id, "fl-0123456789abcdef0"}}).FlowLogs
	want := []wire.FlowLog{{
		CreationTime: new(time.Unix(1_790_000_000, 0).UTC()), DeliverLogsPermissionArn: new(flowRole), DeliverLogsStatus: new("SUCCESS"), FlowLogId: &id,
		FlowLogStatus: new("ACTIVE"), LogDestinationType: new("cloud-watch-logs"), LogFormat: new(edge.DefaultFlowFormat), LogGroupName: new(flowGroup),
		MaxAggregationInterval: new(int32(600)), ResourceId: &f.Vpc.ID, Tags: []wire.Tag{{Key: new("a"), Value: new("b")}}, TrafficType: new("ALL"),
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	r := get(b, edges.FlowLogs, testAccount, "us-east-1", id)
	r.Failure = edge.AccessError
	put(b, edges.FlowLogs, r)
	filter := func(name, value string) []wire.Filter {
		return []wire.Filter{{Name: &name, Values: []string{value}}}
	}
	for _, c := range []struct {
		name, value string
		found       int
	}{
		{"deliver-log-status", "FAILED", 1}, {"deliver-log-status", "SUCCESS", 0}, {"resource-id", f.Vpc.ID, 1}, {"resource-id", "vpc-*", 1},
		{"log-group-name", flowGroup, 1}, {"traffic-type", "ACCEPT", 0}, {"tag:a", "b", 1}, {"flow-log-id", id, 1}, {"log-destination-type", "s3", 0},
	} {
		if n := len(must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{Filter: filter(c.name, c.value)}).FlowLogs); n != c.found {
			t.Errorf("%s %s: %d", c.name, c.value, n)
		}
	}
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: []string{id}, Tags: []wire.Tag{{Key: new("c"), Value: new("d")}}})
	if tags := must(b, b.DescribeTags, wire.DescribeTagsInput{Filters: filter("resource-type", "vpc-flow-log")}).Tags; len(tags) != 2 {
		t.Errorf("tags %+v", tags)
	}
	fails(b, b.DeleteFlowLogs, wire.DeleteFlowLogsInput{FlowLogIds: []string{id, "fl-0123456789abcdef0"}}, "InvalidFlowLogId.NotFound",
		"These flow log ids in the input list are not found: [TotalCount: 1] fl-0123456789abcdef0")
	fails(b, b.DeleteFlowLogs, wire.DeleteFlowLogsInput{}, "MissingParameter", "")
	must(b, b.DeleteFlowLogs, wire.DeleteFlowLogsInput{FlowLogIds: []string{id}})
	if left := must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{FlowLogIds: []string{id}}).FlowLogs; len(left) != 0 {
		t.Errorf("left %+v", left)
	}
}

func TestFlowLogRequests(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	const format = "1 validation error detected: Value '%s' at '%s' has an invalid format"
	for _, c := range []struct {
		change        func(*wire.CreateFlowLogsInput)
		code, message string
	}{
		{func(in *wire.CreateFlowLogsInput) { in.ResourceIds = nil }, "MissingParameter", ""},
		{func(in *wire.CreateFlowLogsInput) { in.TrafficType = nil }, "MissingParameter", ""},
		{func(in *wire.CreateFlowLogsInput) { in.ResourceType = new("TransitGateway") }, "UnsupportedOperation", ""},
		{func(in *wire.CreateFlowLogsInput) { in.ResourceIds = []string{"vpc-0123456789abcdef0"} }, "InvalidVpcID.NotFound", ""},
		{func(in *wire.CreateFlowLogsInput) { in.ResourceType = new("Subnet") }, "InvalidSubnetID.NotFound", ""},
		{func(in *wire.CreateFlowLogsInput) { in.LogGroupName = nil }, "InvalidParameter", "LogDestination can't be empty if LogGroupName is not provided."},
		{func(in *wire.CreateFlowLogsInput) {
			in.LogDestination = new("arn:aws:logs:us-east-1:123456789012:log-group:x")
		}, "InvalidParameter",
			"Please only provide LogGroupName or only provide LogDestination."},
		{func(in *wire.CreateFlowLogsInput) { in.DeliverLogsPermissionArn = nil }, "InvalidParameter",
			"DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."},
		{func(in *wire.CreateFlowLogsInput) { in.DeliverLogsPermissionArn = new("flow") }, "InvalidParameterValue", fmt.Sprintf(format, "flow", "deliverLogsPermissionArn")},
		{func(in *wire.CreateFlowLogsInput) { in.LogGroupName = new("a b") }, "InvalidParameterValue", fmt.Sprintf(format, "a b", "logGroupName")},
		{func(in *wire.CreateFlowLogsInput) {
			in.LogGroupName, in.LogDestination = nil, new("arn:aws:s3:::bucket")
		}, "InvalidParameterValue", ""},
		{func(in *wire.CreateFlowLogsInput) { in.LogFormat = new("${version} ") }, "InvalidParameterValue", fmt.Sprintf(format, "${version} ", "logFormat")},
		{func(in *wire.CreateFlowLogsInput) { in.LogFormat = new("${version} ${colour}") }, "InvalidParameter", "Unknown fields provided: colour"},
		{func(in *wire.CreateFlowLogsInput) { in.MaxAggregationInterval = new(int32(61)) }, "InvalidParameter", "Invalid Flow Log Max Aggregation Interval"},
		{func(in *wire.CreateFlowLogsInput) { in.DestinationOptions = &wire.DestinationOptionsRequest{} }, "InvalidParameter", ""},
		{func(in *wire.CreateFlowLogsInput) { in.LogDestinationType = new("kinesis-data-firehose") }, "UnsupportedOperation", ""},
		{func(in *wire.CreateFlowLogsInput) { in.LogDestinationType = new("s3") }, "InvalidParameter",
			"LogDestination type must be cloud-watch-logs if LogGroupName is provided."},
	} {
		in := logged(f.Vpc.ID)
		c.change(&in)
		fails(b, b.CreateFlowLogs, in, c.code, c.message)
	}
	if n := len(must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{}).FlowLogs); n != 0 {
		t.Errorf("%d flow logs are left of what was refused", n)
	}
	// Each kind of resource, by the group's ARN, with all that can be chosen.
	in := logged(f.Vpc.ID)
	in.LogGroupName, in.LogDestination = nil, new("arn:aws:logs:us-east-1:123456789012:log-group:"+flowGroup+":*")
	in.LogFormat, in.MaxAggregationInterval = new("${version} ${tcp-flags} ${traffic-path}"), new(int32(60))
	in.ResourceType, in.ResourceIds = new("Subnet"), []string{f.Subnets[0].ID, f.Subnets[1].ID, f.Subnets[0].ID}
	if made := must(b, b.CreateFlowLogs, in); len(made.FlowLogIds) != 2 {
		t.Errorf("made %v", made.FlowLogIds)
	}
	eni := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID}).NetworkInterface.NetworkInterfaceId
	in.ResourceType, in.ResourceIds = new("NetworkInterface"), []string{*eni}
	made := must(b, b.CreateFlowLogs, in)
	if l := get(b, edges.FlowLogs, testAccount, "us-east-1", made.FlowLogIds[0]); l.Group != flowGroup || l.Interval != 60 || l.Format != *in.LogFormat {
		t.Errorf("%+v", l)
	}
}

// TestFlowLogPages reads flow logs page by page.
func TestFlowLogPages(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	for i := range 7 {
		in := logged(f.Vpc.ID)
		in.LogGroupName = new(fmt.Sprint("g", i))
		must(b, b.CreateFlowLogs, in)
	}
	first := must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{MaxResults: new(int32(5))})
	second := must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{MaxResults: new(int32(5)), NextToken: first.NextToken})
	if len(first.FlowLogs) != 5 || len(second.FlowLogs) != 2 || second.NextToken != nil {
		t.Errorf("pages of %d and %d", len(first.FlowLogs), len(second.FlowLogs))
	}
}

func TestFlowLogBucket(t *testing.T) {
	b := newBench(t)
	b.ctx = auth.WithCaller(b.ctx, auth.Caller{Account: testAccount, Region: "us-east-1", Partition: "aws", ARN: identity.RootARN(testAccount), UserID: testAccount})
	f := b.defaults()
	ids := arn.NewSource(strings.NewReader(strings.Repeat("x", 1000)))
	bucket := func(name, account string) objects.Bucket {
		return objects.NewBucket(name, account, "us-east-1", time.Unix(0, 0), ids)
	}
	mine, theirs := bucket("mine", testAccount), bucket("theirs", "999999999999")
	mine.Policy = `{"Version":"2012-10-17","Statement":{"Sid":"own","Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::mine"}}`
	put(b, buckets.Buckets, mine, theirs)
	in := wire.CreateFlowLogsInput{ResourceIds: []string{f.Vpc.ID}, ResourceType: new("VPC"), TrafficType: new("ALL"), LogDestinationType: new("s3")}
	for _, name := range []string{"none", "theirs"} {
		in.LogDestination = new("arn:aws:s3:::" + name)
		out := must(b, b.CreateFlowLogs, in)
		if len(out.FlowLogIds) != 0 || len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].ResourceId != f.Vpc.ID || *out.Unsuccessful[0].Error.Code != "400" ||
			*out.Unsuccessful[0].Error.Message != "Access Denied for LogDestination: "+name+". Please check LogDestination permission" {
			t.Errorf("%s: %+v", name, out)
		}
	}
	in.LogDestination = new("arn:aws:s3:::mine/AWSLogs/x")
	fails(b, b.CreateFlowLogs, in, "InvalidParameterValue", "")
	in.LogDestination, in.DeliverLogsPermissionArn = new("arn:aws:s3:::mine"), new(flowRole)
	fails(b, b.CreateFlowLogs, in, "InvalidParameter", "DeliverLogsPermissionArn is not applicable for s3 delivery")
	in.DeliverLogsPermissionArn, in.DestinationOptions = nil, &wire.DestinationOptionsRequest{FileFormat: new("parquet")}
	fails(b, b.CreateFlowLogs, in, "UnsupportedOperation", "")
	in.DestinationOptions = &wire.DestinationOptionsRequest{PerHourPartition: new(true)}
	if out := must(b, b.CreateFlowLogs, in); len(out.FlowLogIds) != 1 {
		t.Fatalf("%+v", out)
	}
	policy := get(b, buckets.Buckets, "mine").Policy
	for _, part := range []string{`"own"`, `"arn:aws:s3:::mine/AWSLogs/123456789012/*"`, `"delivery.logs.amazonaws.com"`} {
		if !strings.Contains(policy, part) {
			t.Errorf("the bucket's policy is %s", policy)
		}
	}
	in.TrafficType = new("REJECT")
	must(b, b.CreateFlowLogs, in)
	if get(b, buckets.Buckets, "mine").Policy != policy {
		t.Error("a policy that suffices was changed")
	}
	shown := must(b, b.DescribeFlowLogs, wire.DescribeFlowLogsInput{}).FlowLogs[0]
	if o := shown.DestinationOptions; shown.LogGroupName != nil || *shown.LogDestination != *in.LogDestination || *o.FileFormat != "plain-text" || !*o.PerHourPartition || *o.HiveCompatiblePartitions {
		t.Errorf("%+v", shown)
	}
}
