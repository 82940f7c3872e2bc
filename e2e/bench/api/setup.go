package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
)

func sampleDefinition() map[string]any {
	return map[string]any{
		"family": "bench", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512",
		"containerDefinitions": []any{map[string]any{
			"name": "app", "image": "public.ecr.aws/docker/library/httpd:latest", "essential": true, "memory": 256,
			"portMappings": []any{map[string]any{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}},
			"environment":  []any{map[string]any{"name": "STAGE", "value": "bench"}},
		}},
	}
}

// prepare makes a cluster and ten tasks to describe.
func prepare(s *server, definition any) error {
	if _, err := s.send(s.request("CreateCluster", map[string]any{"clusterName": "bench"})); err != nil {
		return err
	}
	if _, err := s.send(s.request("RegisterTaskDefinition", definition)); err != nil {
		return err
	}
	network, err := defaultNetwork(s)
	if err != nil {
		return err
	}
	b, err := s.send(s.request("RunTask", map[string]any{
		"cluster": "bench", "taskDefinition": "bench", "launchType": "FARGATE", "count": 10,
		"networkConfiguration": map[string]any{"awsvpcConfiguration": network},
	}))
	if err != nil {
		return err
	}
	var out struct {
		Tasks []struct {
			TaskArn string `json:"taskArn"`
		} `json:"tasks"`
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out.Tasks) != 10 {
		return fmt.Errorf("RunTask answered %s", b)
	}
	for _, t := range out.Tasks {
		s.tasks = append(s.tasks, t.TaskArn)
	}
	return nil
}

// describe is the input of DescribeTasks for the first n tasks.
func (s *server) describe(n int) any {
	return map[string]any{"cluster": "bench", "tasks": s.tasks[:n]}
}

// defaultNetwork names a subnet and the security group of the default VPC. Both
// are given because moto_server fails without the security group.
func defaultNetwork(s *server) (map[string]any, error) {
	var subnets struct {
		IDs []string `xml:"subnetSet>item>subnetId"`
	}
	if err := s.ec2("DescribeSubnets", &subnets); err != nil {
		return nil, err
	}
	var groups struct {
		IDs []string `xml:"securityGroupInfo>item>groupId"`
	}
	if err := s.ec2("DescribeSecurityGroups", &groups); err != nil {
		return nil, err
	}
	if len(subnets.IDs) == 0 || len(groups.IDs) == 0 {
		return nil, fmt.Errorf("%d subnets and %d security groups", len(subnets.IDs), len(groups.IDs))
	}
	return map[string]any{"subnets": subnets.IDs[:1], "securityGroups": groups.IDs[:1]}, nil
}

func (s *server) ec2(action string, out any) error {
	b, err := s.send(s.sign("ec2", []byte("Action="+action+"&Version=2016-11-15"),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}))
	if err != nil {
		return err
	}
	return xml.Unmarshal(b, out)
}
