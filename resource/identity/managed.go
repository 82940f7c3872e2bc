package identity

import (
	"embed"
	"slices"
	"time"
)

// awsAccount stands in the place of an account id in the ARNs of AWS managed
// policies.
const awsAccount = "aws"

// documents holds the default version of each AWS managed policy, NAME.json.
//
//go:embed managed/*.json
var documents embed.FS

// managed describes an AWS managed policy.
type managed struct {
	name, path, id, description string
	created                     string // RFC 3339
	version, updated            string // default version and when it was made
}

// Source: AWS Managed Policy Reference Guide and the answers of IAM's
// ListPolicies. Sorted by name.
var managedPolicies = []managed{
	{"AWSApplicationAutoscalingECSServicePolicy", "/aws-service-role/", "ANPAJFXLLV7AKH5PSFOYG",
		"Policy granting permissions to Application Auto Scaling to access EC2 Container Service and CloudWatch.",
		"2017-10-25T23:53:08Z", "v2", "2024-10-24T20:05:50Z"},
	{"AWSElasticLoadBalancingServiceRolePolicy", "/aws-service-role/", "ANPAIMHWGGSRHLOQUICJQ",
		"Service Linked Role Policy for AWS Elastic Load Balancing Control Plane",
		"2017-09-19T22:19:04Z", "v14", "2026-02-12T17:58:08Z"},
	{"AdministratorAccess", "/", "ANPAIWMBCKSKIEE64ZLYK",
		"Provides full access to AWS services and resources.",
		"2015-02-06T18:39:46Z", "v1", "2015-02-06T18:39:46Z"},
	{"AmazonEC2ContainerRegistryFullAccess", "/", "ANPAIESRL7KD7IIVF6V4W",
		"Provides administrative access to Amazon ECR resources",
		"2015-12-21T17:06:48Z", "v3", "2020-12-05T00:04:19Z"},
	{"AmazonEC2ContainerRegistryPowerUser", "/", "ANPAJDNE5PIHROIBGGDDW",
		"Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.",
		"2015-12-21T17:05:33Z", "v3", "2019-12-10T20:48:08Z"},
	{"AmazonEC2ContainerRegistryReadOnly", "/", "ANPAIFYZPA37OOHVIH7KQ",
		"Provides read-only access to Amazon EC2 Container Registry repositories.",
		"2015-12-21T17:04:15Z", "v3", "2019-12-10T20:56:32Z"},
	{"AmazonEC2ContainerServiceEventsRole", "/service-role/", "ANPAITKFNIUAG27VSYNZ4",
		"Policy to enable CloudWatch Events for EC2 Container Service",
		"2017-05-30T16:51:35Z", "v3", "2023-03-06T22:25:12Z"},
	{"AmazonEC2ContainerServiceforEC2Role", "/service-role/", "ANPAJLYJCVHC7TQHCSQDS",
		"Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.",
		"2015-03-19T18:45:18Z", "v10", "2026-02-12T17:59:52Z"},
	{"AmazonECSServiceRolePolicy", "/aws-service-role/", "ANPAIVUWKCAI7URU4WUEI",
		"Policy to enable Amazon ECS to manage your cluster.",
		"2017-10-14T01:18:58Z", "v23", "2026-02-12T17:58:05Z"},
	{"AmazonECSTaskExecutionRolePolicy", "/service-role/", "ANPAJG4T4G4PV56DE72PY",
		"Provides access to other AWS service resources that are required to run Amazon ECS tasks",
		"2017-11-16T18:48:22Z", "v1", "2017-11-16T18:48:22Z"},
	{"AmazonECS_FullAccess", "/", "ANPAJ7S7AN6YQPTJC7IFS",
		"Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources, including VPCs, Auto Scaling groups, and CloudFormation stacks.",
		"2017-11-07T21:36:54Z", "v21", "2024-08-13T19:39:37Z"},
	{"AmazonS3FullAccess", "/", "ANPAIFIR6V6BVTRAHWINE",
		"Provides full access to all buckets via the AWS Management Console.",
		"2015-02-06T18:40:58Z", "v2", "2021-09-27T20:16:37Z"},
	{"AmazonS3ReadOnlyAccess", "/", "ANPAIZTJ4DXE7G6AGAE6M",
		"Provides read only access to all buckets via the AWS Management Console.",
		"2015-02-06T18:40:59Z", "v3", "2023-08-10T21:31:39Z"},
	{"AmazonSSMFullAccess", "/", "ANPAJA7V6HI4ISQFMDYAG",
		"Provides full access to Amazon SSM.",
		"2015-05-29T17:39:47Z", "v4", "2019-11-20T20:08:56Z"},
	{"AmazonSSMManagedInstanceCore", "/", "ANPAIXSHM2BNB2D3AXXRU",
		"The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.",
		"2019-03-15T17:22:12Z", "v2", "2019-05-23T16:54:21Z"},
	{"AmazonSSMReadOnlyAccess", "/", "ANPAJODSKQGGJTHRYZ5FC",
		"Provides read only access to Amazon SSM.",
		"2015-05-29T17:44:19Z", "v1", "2015-05-29T17:44:19Z"},
	{"AutoScalingServiceRolePolicy", "/aws-service-role/", "ANPAIC5D2V7MRWBMHGD7G",
		"Enables access to AWS Services and Resources used or managed by Auto Scaling",
		"2018-01-08T23:10:55Z", "v10", "2025-11-12T18:19:06Z"},
	{"CloudWatchLogsFullAccess", "/", "ANPAJ3ZGNWK2R5HW5BQFO",
		"Provides full access to CloudWatch Logs",
		"2015-02-06T18:40:02Z", "v8", "2026-02-12T18:00:33Z"},
	{"CloudWatchLogsReadOnlyAccess", "/", "ANPAJ2YIYDYSNNEHK3VKW",
		"Provides read only access to CloudWatch Logs",
		"2015-02-06T18:40:03Z", "v12", "2026-02-12T17:59:13Z"},
	{"IAMFullAccess", "/", "ANPAI7XKCFMBPM3QQRRVQ",
		"Provides full access to IAM via the AWS Management Console.",
		"2015-02-06T18:40:38Z", "v2", "2019-06-21T19:40:00Z"},
	{"IAMReadOnlyAccess", "/", "ANPAJKSO7NDY4T57MWDSQ",
		"Provides read only access to IAM via the AWS Management Console.",
		"2015-02-06T18:40:39Z", "v4", "2018-01-25T19:11:27Z"},
	{"PowerUserAccess", "/", "ANPAJYRXTHIB4FOVS3ZXS",
		"Provides full access to AWS services and resources, but does not allow management of Users and groups.",
		"2015-02-06T18:39:47Z", "v12", "2026-02-12T17:59:14Z"},
	{"ReadOnlyAccess", "/", "ANPAILL3HVNFSB6DCOWYQ",
		"Provides read-only access to AWS services and resources.",
		"2015-02-06T18:39:48Z", "v178", "2026-02-12T18:01:33Z"},
	{"SecretsManagerReadWrite", "/", "ANPAI3VG7CI5BIQZQ6G2E",
		"Provides read/write access to AWS Secrets Manager via the AWS Management Console. Note: this exludes IAM actions, so combine with IAMFullAccess if rotation configuration is required.",
		"2018-04-04T18:05:29Z", "v6", "2026-08-25T23:37:10Z"},
}

// AWSPolicies lists the AWS managed policies of every account, by name.
func AWSPolicies() []Policy {
	policies := make([]Policy, len(managedPolicies))
	for i, m := range managedPolicies {
		policies[i] = m.policy()
	}
	return policies
}

// AWSPolicy returns the AWS managed policy with the ARN.
func AWSPolicy(policyARN string) (Policy, bool) {
	account, name, ok := PolicyName(policyARN)
	if !ok || account != awsAccount {
		return Policy{}, false
	}
	i := slices.IndexFunc(managedPolicies, func(m managed) bool { return m.name == name })
	if i < 0 {
		return Policy{}, false
	}
	p := managedPolicies[i].policy()
	return p, p.ARN() == policyARN
}

func (m managed) policy() Policy {
	text, err := documents.ReadFile("managed/" + m.name + ".json")
	if err != nil {
		panic("identity: " + err.Error()) // the table and the folder belong together
	}
	updated := date(m.updated)
	return Policy{
		Account: awsAccount, Path: m.path, Name: m.name, ID: m.id, Description: m.description,
		Default: m.version, CreatedAt: date(m.created), UpdatedAt: updated,
		Versions: []Version{{ID: m.version, Document: string(text), CreatedAt: updated}},
	}
}

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic("identity: " + err.Error())
	}
	return t
}
