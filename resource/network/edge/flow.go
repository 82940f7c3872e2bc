package edge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"neargate/arn"
	"neargate/resource/network"
)

// FlowLog records what an interface, a subnet or a VPC lets pass and refuses.
type FlowLog struct {
	Account, Region, ID string // fl-…
	Resource            string // vpc-…, subnet-… or eni-…
	Traffic             string // TrafficAccept, TrafficReject or TrafficAll
	Type                string // ToLogs or ToBucket
	Destination         string `json:",omitempty"` // ARN, as given
	Group               string `json:",omitempty"` // name of the log group
	Role                string `json:",omitempty"` // ARN of the role that writes to the log group
	Format              string // fields; DefaultFlowFormat where none were asked for
	Interval            int    // seconds: 60 or 600
	Files               *FlowFiles
	CreatedAt           time.Time
	Failure             string        `json:",omitempty"` // DeliverLogsErrorMessage, as last seen: of whoever delivers
	Tags                []network.Tag `json:",omitempty"`
}

// FlowFiles is how a bucket's objects are arranged.
type FlowFiles struct {
	Hive   bool // names of folders as Hive has them
	Hourly bool // a folder for each hour
}

// Traffic that a flow log records.
const (
	TrafficAccept = "ACCEPT"
	TrafficReject = "REJECT"
	TrafficAll    = "ALL"
)

// Types of destinations.
const (
	ToLogs   = "cloud-watch-logs"
	ToBucket = "s3"
)

// AccessError is the failure of a flow log that may not write to its destination.
// Source: Amazon VPC User Guide, Troubleshoot VPC Flow Logs.
const AccessError = "Access error"

// DeliveryPrincipal is the AWS service that writes to buckets.
const DeliveryPrincipal = "delivery.logs.amazonaws.com"

// ARN is the flow log's.
func (f *FlowLog) ARN() string {
	return arn.New("ec2", f.Region, f.Account, "vpc-flow-log/"+f.ID)
}

// DeliverySource is what DeliveryPrincipal writes on behalf of in an account and
// region.
func DeliverySource(account, region string) string {
	return arn.New("logs", region, account, "*")
}

// Bucket are the bucket and the folder that a destination of type ToBucket names.
func (f *FlowLog) Bucket() (bucket, folder string) {
	a, err := arn.Parse(f.Destination)
	if err != nil || a.Service != "s3" {
		return "", ""
	}
	bucket, folder, _ = strings.Cut(a.Resource, "/")
	return bucket, strings.Trim(folder, "/")
}

// DefaultFlowFormat has the fields of version 2. Source: Amazon VPC User Guide,
// Flow log records.
const DefaultFlowFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} " +
	"${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

// flowFields are the fields of each version from the second on.
var flowFields = [][]string{
	FlowFields(DefaultFlowFormat),
	{"vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr"},
	{"region", "az-id", "sublocation-type", "sublocation-id"},
	{"pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path"},
}

// FlowFields are the names of a format's fields; nil if it is none.
func FlowFields(format string) []string {
	var names []string
	for f := range strings.SplitSeq(format, " ") {
		name, opened := strings.CutPrefix(f, "${")
		name, closed := strings.CutSuffix(name, "}")
		if !opened || !closed || name == "" || strings.ContainsAny(name, "${}") {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// UnknownFlowFields are those of the names that no flow log has.
func UnknownFlowFields(names []string) []string {
	known := slices.Concat(flowFields...)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(known, n) })
}

// FlowVersion is the version of a format with the fields: the highest of theirs,
// and 2 where all are of that.
func FlowVersion(names []string) int {
	version := 0
	for i, fields := range flowFields {
		if slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(names, f) }) {
			version = i
		}
	}
	return version + 2
}

// Key is the name of an object of records until a time. unique tells it from others
// of the same minutes. Source: Amazon VPC User Guide, Flow log files.
func (f *FlowLog) Key(until time.Time, unique string) string {
	const each = 5 * time.Minute
	until = until.UTC().Truncate(each)
	_, folder := f.Bucket()
	files := cmp.Or(f.Files, &FlowFiles{})
	parts := []string{"AWSLogs", f.Account, "vpcflowlogs", f.Region, until.Format("2006"), until.Format("01"), until.Format("02")}
	if files.Hourly {
		parts = append(parts, until.Format("15"))
	}
	if files.Hive {
		for i, name := range []string{"", "aws-account-id=", "aws-service=", "aws-region=", "year=", "month=", "day=", "hour="}[:len(parts)] {
			parts[i] = name + parts[i]
		}
	}
	if folder != "" {
		parts = slices.Insert(parts, 0, folder)
	}
	name := strings.Join([]string{f.Account, "vpcflowlogs", f.Region, f.ID, until.Format("20060102T1504Z"), unique}, "_")
	return strings.Join(append(parts, name+".log.gz"), "/")
}
