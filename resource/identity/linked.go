package identity

import (
	"slices"
	"time"

	"neargate/arn"
)

// linked describes the service-linked role of one service.
// Source: AWS service documentation, "Using service-linked roles".
type linked struct {
	service     string // service principal
	role        string // role name
	description string
	policy      string // name of the managed policy under /aws-service-role/
	suffix      bool   // whether a custom suffix is allowed
}

var linkedRoles = []linked{
	{
		service: "ecs.amazonaws.com", role: "AWSServiceRoleForECS",
		description: "Policy to enable Amazon ECS to manage your EC2 instances and related resources.",
		policy:      "AmazonECSServiceRolePolicy",
	}, {
		service: "elasticloadbalancing.amazonaws.com", role: "AWSServiceRoleForElasticLoadBalancing",
		description: "Allows ELB to call AWS services on your behalf.",
		policy:      "AWSElasticLoadBalancingServiceRolePolicy",
	}, {
		service: "ecs.application-autoscaling.amazonaws.com", role: "AWSServiceRoleForApplicationAutoScaling_ECSService",
		policy: "AWSApplicationAutoscalingECSServicePolicy",
	}, {
		service: "autoscaling.amazonaws.com", role: "AWSServiceRoleForAutoScaling",
		description: "Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling",
		policy:      "AutoScalingServiceRolePolicy", suffix: true,
	},
}

// ServiceLinkedRole makes the role that is linked to a service principal such
// as ecs.amazonaws.com. ok is false when the service has none; suffixed says
// whether the service lets its role's name carry a custom suffix, and with a
// suffix it does.
func ServiceLinkedRole(account, service, suffix string, now time.Time, ids *arn.Source) (role Role, suffixed, ok bool) {
	i := slices.IndexFunc(linkedRoles, func(l linked) bool { return l.service == service })
	if i < 0 {
		return Role{}, false, false
	}
	l := linkedRoles[i]
	name := l.role
	if suffix != "" {
		name += "_" + suffix
	}
	path := "/aws-service-role/" + service + "/"
	return Role{
		Account: account, Path: path, Name: name, ID: ids.IAM("AROA"), CreatedAt: now,
		Description: l.description, Trust: serviceTrust(service), MaxSession: DefaultMaxSession,
		LinkedTo: service,
		Grants:   Grants{Attached: []string{iamARN(awsAccount, "policy/aws-service-role/"+l.policy)}},
	}, l.suffix, true
}

// serviceTrust is the trust policy that lets a service assume a role.
func serviceTrust(service string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` +
		service + `"},"Action":"sts:AssumeRole"}]}`
}

// Statuses of deletion tasks.
const (
	DeletionSucceeded = "SUCCEEDED"
	DeletionFailed    = "FAILED"
)

// Usage is what of a region still uses a service-linked role.
type Usage struct {
	Region    string
	Resources []string // ARNs
}

// DeletionTask is the outcome of a DeleteServiceLinkedRole call.
type DeletionTask struct {
	Account   string
	ID        string // task/aws-service-role/SERVICE/ROLE/UUID
	Status    string
	Reason    string  `json:",omitempty"`
	Usage     []Usage `json:",omitempty"`
	CreatedAt time.Time
}
