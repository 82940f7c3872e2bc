package audit

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire"
)

// userIdentity says who made a call, in CloudTrail's format.
// Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element".
type userIdentity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *sessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

type sessionContext struct {
	SessionIssuer *issuer    `json:"sessionIssuer,omitempty"`
	Attributes    attributes `json:"attributes"`
	SourceID      string     `json:"sourceIdentity,omitempty"`
}

type issuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName,omitempty"`
}

type attributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// accountOf is whose trail a call belongs to: the caller's, or for one that proves
// nothing but a token, that of the role it asks for. "" for nobody's.
func accountOf(c *wire.Call) string {
	if c.Account != "" {
		return c.Account
	}
	if c.Operation != "AssumeRoleWithWebIdentity" && c.Operation != "AssumeRoleWithSAML" || c.Input == nil {
		return ""
	}
	account, _, _ := identity.RoleName(text(c.Input, "RoleArn"))
	return account
}

// userID is the caller's unique id.
func userID(c *wire.Call) string {
	p, _ := c.Principal.(auth.Caller)
	return p.UserID
}

// via is the VPC endpoint that a call came through; nil: none.
func via(c *wire.Call) *auth.Via {
	if p, ok := c.Principal.(auth.Caller); ok && p.Via != nil {
		return p.Via
	}
	if c.Context == nil {
		return nil
	}
	return auth.ViaOf(c.Context)
}

// errorCode is how CloudTrail names an error.
func errorCode(c *wire.Call) string {
	switch {
	case c.Code == "AccessDeniedException":
		return "AccessDenied"
	case c.Service == "ec2" && c.Status >= 500:
		return "Server." + c.Code
	case c.Service == "ec2":
		return "Client." + c.Code
	}
	return c.Code
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// caller says who made a call.
func caller(tx store.Tx, c *wire.Call) (userIdentity, error) {
	p, ok := c.Principal.(auth.Caller)
	if !ok || p.Anonymous() {
		if c.Operation == "AssumeRoleWithSAML" {
			return userIdentity{Type: "SAMLUser"}, nil
		}
		return userIdentity{Type: "WebIdentityUser"}, nil
	}
	who := userIdentity{PrincipalID: p.UserID, ARN: p.ARN, AccountID: p.Account, AccessKeyID: c.AccessKeyID, Type: "IAMUser", InvokedBy: p.By}
	a, err := arn.Parse(p.ARN)
	if err != nil {
		return who, nil
	}
	kind := a.Path()
	switch kind[0] {
	case "root":
		who.Type = "Root"
	case "user":
		who.UserName = kind[len(kind)-1]
	case "assumed-role":
		who.Type = "AssumedRole"
	case "federated-user":
		who.Type = "FederatedUser"
	}
	s, ok, err := tables.Sessions.Find(tx, c.AccessKeyID)
	if err != nil || !ok {
		return who, err
	}
	who.SessionContext = &sessionContext{Attributes: attributes{date(s.IssuedAt), strconv.FormatBool(!s.MFAAt.IsZero())}, SourceID: s.SourceIdentity}
	if s.Kind != identity.SessionRole {
		return who, nil
	}
	role, ok, err := tables.Roles.Find(tx, s.Account, identity.Fold(s.Role))
	if ok {
		who.SessionContext.SessionIssuer = &issuer{"Role", role.ID, role.ARN(), role.Account, role.Name}
	}
	return who, err
}

// readOnly reports whether an operation changes nothing that CloudTrail cares about.
func readOnly(service, operation string) bool {
	for _, p := range []string{"Get", "List", "Describe", "Lookup", "Filter", "Simulate", "Test", "BatchGet", "BatchCheck", "Discover", "Head"} {
		if strings.HasPrefix(operation, p) {
			return true
		}
	}
	return slices.Contains([]string{
		"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey",
		"kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateRandom", "kms:ReEncrypt", "kms:Sign", "kms:Verify",
	}, service+":"+operation)
}

// types are the members of an input that name a resource, and its type.
var types = []struct{ member, kind string }{
	{"RoleName", "AWS::IAM::Role"}, {"RoleArn", "AWS::IAM::Role"}, {"UserName", "AWS::IAM::User"}, {"GroupName", "AWS::IAM::Group"},
	{"PolicyArn", "AWS::IAM::Policy"}, {"InstanceProfileName", "AWS::IAM::InstanceProfile"},
	{"Cluster", "AWS::ECS::Cluster"}, {"ClusterName", "AWS::ECS::Cluster"}, {"TaskDefinition", "AWS::ECS::TaskDefinition"},
	{"ServiceName", "AWS::ECS::Service"}, {"LogGroupName", "AWS::Logs::LogGroup"}, {"VpcId", "AWS::EC2::VPC"},
	{"SubnetId", "AWS::EC2::Subnet"}, {"GroupId", "AWS::EC2::SecurityGroup"}, {"NetworkInterfaceId", "AWS::EC2::NetworkInterface"},
	{"RouteTableId", "AWS::EC2::RouteTable"}, {"InternetGatewayId", "AWS::EC2::InternetGateway"},
	{"RepositoryName", "AWS::ECR::Repository"}, {"SecretId", "AWS::SecretsManager::Secret"}, {"KeyId", "AWS::KMS::Key"},
	{"Bucket", "AWS::S3::Bucket"}, {"ProfileName", "AWS::Signer::SigningProfile"}, {"StackName", "AWS::CloudFormation::Stack"}, {"LoadBalancerArn", "AWS::ElasticLoadBalancingV2::LoadBalancer"},
}

// text is a member of an input that is a text, "" when it has none of the name.
func text(input any, member string) string {
	v := reflect.Indirect(reflect.ValueOf(input))
	if v.Kind() != reflect.Struct {
		return ""
	}
	if f := reflect.Indirect(v.FieldByName(member)); f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}
