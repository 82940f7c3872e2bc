package target

import (
	"neargate/auth/policy"
	"neargate/store/tables/edges"
)

// FlowLogs is the AWS service that acts with the roles of flow logs.
const FlowLogs = "vpc-flow-logs.amazonaws.com"

// toBucket is the destination type of flow logs that no role writes.
const toBucket = "s3"

// flowResources are those of operations on flow logs.
var flowResources = merge(
	each(func(in Input) []string {
		kind := map[string]string{"VPC": "vpc", "Subnet": "subnet", "NetworkInterface": "network-interface"}[in.text("ResourceType")]
		if kind == "" {
			return in.ec2("vpc-flow-log", nil, "*")
		}
		return append(in.ec2("vpc-flow-log", nil, "*"), in.ec2(kind, in.list("ResourceIds"), "")...)
	}, "CreateFlowLogs"),
	each(func(in Input) []string { return in.ec2("vpc-flow-log", in.list("FlowLogIds"), "") }, "DeleteFlowLogs"),
)

// flowUses are the permissions besides that to make a flow log, or to delete one: to
// pass the role that it writes with, or to have logs delivered to a bucket.
// Source: Amazon VPC User Guide, Publish flow logs.
func (in Input) flowUses(operation string) []Target {
	deliver := func(action string) []Target { return []Target{{action, []string{"*"}, policy.Context{}}} }
	switch operation {
	case "CreateFlowLogs":
		if in.text("LogDestinationType") == toBucket {
			return deliver("logs:CreateLogDelivery")
		}
		role := in.text("DeliverLogsPermissionArn")
		if role == "" {
			return nil
		}
		pass := policy.Context{}
		pass.Set("iam:PassedToService", FlowLogs)
		return []Target{{"iam:PassRole", []string{in.role(role)}, pass}}
	case "DeleteFlowLogs":
		for _, id := range in.list("FlowLogIds") {
			f, ok, err := edges.FlowLogs.Find(in.Tx, in.Caller.Account, in.Caller.Region, id)
			if err == nil && ok && f.Type == toBucket {
				return deliver("logs:DeleteLogDelivery")
			}
		}
	}
	return nil
}
