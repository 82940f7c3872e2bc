package auth

import "neargate/arn"

// stsRules are those of the AWS Security Token Service.
var stsRules = rules{
	resources: each(func(in input) []string {
		return []string{arn.ARN{Partition: "aws", Service: "sts", Account: in.caller.Account, Resource: "federated-user/" + in.text("Name")}.String()}
	}, "GetFederationToken"),
}
