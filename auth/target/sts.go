package target

import "neargate/arn"

// stsRules are those of the AWS Security Token Service.
var stsRules = rules{
	resources: each(func(in Input) []string {
		return []string{arn.ARN{Partition: "aws", Service: "sts", Account: in.Caller.Account, Resource: "federated-user/" + in.text("Name")}.String()}
	}, "GetFederationToken"),
}
