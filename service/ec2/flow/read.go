package flow

import (
	"regexp"
	"strings"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/identity"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/wire/shape"
)

const (
	plainText = "plain-text"
	// usualInterval is MaxAggregationInterval where none is asked for.
	usualInterval = 600
	// maxResources is how many resources a request may name.
	// Source: CreateFlowLogs.
	maxResources = 1000
)

// groupName is what log groups may be called. Source: CreateLogGroup.
var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// read is the flow log that a request asks for, of no resource yet.
func read(in *wire.CreateFlowLogsInput) (edge.FlowLog, error) {
	f := edge.FlowLog{Traffic: call.Val(in.TrafficType), Type: edge.ToLogs, Format: edge.DefaultFlowFormat, Interval: usualInterval}
	switch kind := call.Val(in.ResourceType); {
	case kind == "":
		return f, call.Missing("ResourceType")
	case kind != "VPC" && kind != "Subnet" && kind != "NetworkInterface":
		return f, shape.Errorf("UnsupportedOperation", "Flow logs of resource type %s are not supported.", kind)
	case len(in.ResourceIds) == 0:
		return f, call.Missing("ResourceId")
	case len(in.ResourceIds) > maxResources:
		return f, invalid("The number of resources exceeds the maximum of %d", maxResources)
	case f.Traffic == "":
		return f, call.Missing("TrafficType")
	}
	if in.MaxAggregationInterval != nil {
		if f.Interval = int(*in.MaxAggregationInterval); f.Interval != 60 && f.Interval != usualInterval {
			return f, invalid("Invalid Flow Log Max Aggregation Interval")
		}
	}
	if in.LogFormat != nil {
		f.Format = *in.LogFormat
		fields := edge.FlowFields(f.Format)
		if fields == nil {
			return f, misshapen("logFormat", f.Format)
		}
		if no := edge.UnknownFlowFields(fields); len(no) > 0 {
			return f, invalid("Unknown fields provided: %s", join(no))
		}
	}
	if in.LogDestinationType != nil {
		f.Type = *in.LogDestinationType
	}
	switch f.Type {
	case edge.ToLogs:
		return f, readGroup(in, &f)
	case edge.ToBucket:
		return f, readBucket(in, &f)
	}
	return f, shape.Errorf("UnsupportedOperation", "The log destination type %s is not supported.", f.Type)
}

// readGroup reads which log group a flow log goes to, and by which role.
func readGroup(in *wire.CreateFlowLogsInput, f *edge.FlowLog) error {
	f.Group, f.Destination, f.Role = call.Val(in.LogGroupName), call.Val(in.LogDestination), call.Val(in.DeliverLogsPermissionArn)
	switch {
	case f.Group != "" && f.Destination != "":
		return invalid("Please only provide LogGroupName or only provide LogDestination.")
	case f.Group == "" && f.Destination == "":
		return invalid("LogDestination can't be empty if LogGroupName is not provided.")
	case f.Role == "":
		return invalid("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
	case in.DestinationOptions != nil:
		return invalid("DestinationOptions is not applicable for cloud-watch-logs delivery")
	}
	if _, _, ok := identity.RoleName(f.Role); !ok {
		return misshapen("deliverLogsPermissionArn", f.Role)
	}
	if f.Destination == "" {
		if !groupName.MatchString(f.Group) {
			return misshapen("logGroupName", f.Group)
		}
		return nil
	}
	a, err := arn.Parse(f.Destination)
	name, ok := strings.CutPrefix(a.Resource, "log-group:")
	f.Group = strings.TrimSuffix(name, ":*")
	if err != nil || a.Service != "logs" || !ok || !groupName.MatchString(f.Group) {
		return misshapen("logDestination", f.Destination)
	}
	return nil
}

// readBucket reads which bucket a flow log goes to.
func readBucket(in *wire.CreateFlowLogsInput, f *edge.FlowLog) error {
	f.Destination = call.Val(in.LogDestination)
	switch {
	case in.LogGroupName != nil:
		return invalid("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
	case f.Destination == "":
		return invalid("LogDestination can't be empty if LogGroupName is not provided.")
	case in.DeliverLogsPermissionArn != nil:
		return invalid("DeliverLogsPermissionArn is not applicable for s3 delivery")
	}
	bucket, folder := f.Bucket()
	if bucket == "" || strings.HasPrefix(folder, "AWSLogs") { // whose name is taken
		return misshapen("logDestination", f.Destination)
	}
	o := in.DestinationOptions
	if o == nil {
		return nil
	}
	if o.FileFormat != nil && *o.FileFormat != plainText {
		return admit.Unsupported("DestinationOptions.FileFormat")
	}
	f.Files = &edge.FlowFiles{Hive: call.Val(o.HiveCompatiblePartitions), Hourly: call.Val(o.PerHourPartition)}
	return nil
}

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameter", format, args...)
}

// misshapen refuses a value that cannot be one.
func misshapen(member, value string) error {
	return call.Invalid("1 validation error detected: Value '%s' at '%s' has an invalid format", value, member)
}

func join(list []string) string { return strings.Join(list, " ") }
