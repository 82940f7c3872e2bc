package main

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// measurePolicies compares a call of users with policies of 1 and of 100 statements,
// of which the last allows it, and of the root user, whom no policy is asked about.
func measurePolicies(dir string) error {
	root, err := startNeargate(dir, *neargate)
	if err != nil {
		return err
	}
	defer root.stop()
	if err := prepare(root, sampleDefinition()); err != nil {
		return err
	}
	root.name = "root user"
	one, err := root.user(1)
	if err != nil {
		return err
	}
	hundred, err := root.user(100)
	if err != nil {
		return err
	}
	compare("DescribeTasks of 1 task, by policies", one, []*server{hundred, root},
		func(s *server) call { return s.request("DescribeTasks", s.describe(1)) })
	return nil
}

// user is the server for a new user with a managed policy of n statements.
func (s *server) user(n int) (*server, error) {
	statements := make([]string, n)
	for i := range n {
		statements[i] = fmt.Sprintf(`{"Effect":"Allow","Action":"s%d:Get*","Resource":"*"}`, i)
	}
	statements[n-1] = `{"Effect":"Allow","Action":"ecs:Describe*","Resource":"*"}`
	name := fmt.Sprint("statements-", n)
	var made struct {
		ARN    string `xml:"CreatePolicyResult>Policy>Arn"`
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	document := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	if err := s.iam("CreatePolicy", url.Values{"PolicyName": {name}, "PolicyDocument": {document}}, &made); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		action string
		in     url.Values
	}{
		{"CreateUser", url.Values{"UserName": {name}}},
		{"AttachUserPolicy", url.Values{"UserName": {name}, "PolicyArn": {made.ARN}}},
		{"CreateAccessKey", url.Values{"UserName": {name}}},
	} {
		if err := s.iam(step.action, step.in, &made); err != nil {
			return nil, err
		}
	}
	u := *s
	u.name = fmt.Sprint(n, " statements")
	u.key = aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}
	return &u, nil
}

func (s *server) iam(action string, in url.Values, out any) error {
	in.Set("Action", action)
	in.Set("Version", "2010-05-08")
	b, err := s.send(s.sign("iam", []byte(in.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return xml.Unmarshal(b, out)
}
