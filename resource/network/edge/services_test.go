package edge_test

import (
	"strings"
	"testing"

	"neargate/resource/network/edge"
)

func TestServices(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range edge.Services("eu-west-1") {
		if !strings.HasPrefix(s.Name, "com.amazonaws.eu-west-1.") || !strings.HasPrefix(s.ID, "vpce-svc-") || len(s.ID) != 26 {
			t.Errorf("service %+v", s)
		}
		if seen[s.ID] {
			t.Errorf("id %s twice", s.ID)
		}
		seen[s.ID] = true
		if interfaces := s.Type == edge.InterfaceEndpoint; interfaces != (s.Base != "") || interfaces != (len(s.Private) > 0) {
			t.Errorf("names of %+v", s)
		}
	}
}

func TestServes(t *testing.T) {
	tests := []struct {
		service, host string
		want          bool
	}{
		{"ecr.api", "api.ecr.us-east-1.amazonaws.com", true},
		{"ecr.api", "API.ECR.us-east-1.amazonaws.com.", true},
		{"ecr.api", "api.ecr.us-east-2.amazonaws.com", false},
		{"ecr.api", "x.api.ecr.us-east-1.amazonaws.com", false},
		{"ecr.dkr", "123456789012.dkr.ecr.us-east-1.amazonaws.com", true},
		{"ecr.dkr", "dkr.ecr.us-east-1.amazonaws.com", false},
		{"ecr.dkr", ".dkr.ecr.us-east-1.amazonaws.com", false},
		{"s3", "s3.us-east-1.amazonaws.com", true},
		{"s3", "my.bucket.s3.us-east-1.amazonaws.com", true},
		{"s3", "s3.amazonaws.com", false},
		{"ecs", "ecs-a.us-east-1.amazonaws.com", false},
		{"logs", "logs.us-east-1.amazonaws.com.evil.example", false},
	}
	for _, tt := range tests {
		s, ok := edge.ServiceNamed("us-east-1", edge.ServiceName("us-east-1", tt.service), edge.InterfaceEndpoint)
		if !ok {
			t.Fatalf("no service %s", tt.service)
		}
		if got := s.Serves(tt.host); got != tt.want {
			t.Errorf("%s serves %s: %v", tt.service, tt.host, got)
		}
	}
}

func TestNames(t *testing.T) {
	s, _ := edge.ServiceNamed("us-east-1", "com.amazonaws.us-east-1.ecr.dkr", edge.InterfaceEndpoint)
	names := s.Names("vpce-0123456789abcdef0", []string{"us-east-1a", "us-east-1b"})
	again := s.Names("vpce-0123456789abcdef0", nil)
	if len(names) != 3 || names[0] != again[0] {
		t.Fatalf("names %q, then %q", names, again)
	}
	label, base, _ := strings.Cut(names[0], ".")
	if base != "dkr.ecr.us-east-1.vpce.amazonaws.com" || !strings.HasPrefix(label, "vpce-0123456789abcdef0-") || len(label) != 31 {
		t.Errorf("name %q", names[0])
	}
	if names[1] != label+"-us-east-1a."+base || names[2] != label+"-us-east-1b."+base {
		t.Errorf("zonal names %q", names[1:])
	}
}
