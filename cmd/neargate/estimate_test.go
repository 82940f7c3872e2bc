package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEstimateCommand reads command lines: what they ask for is in the answer.
func TestEstimateCommand(t *testing.T) {
	t.Setenv(regionVariable, "ap-northeast-1")
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	definition := write("task.json", `{"family": "web", "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "web"}]}`)
	template := write("stack.yaml", "Parameters: {Size: {Type: String}}\nResources: {Job: {Type: AWS::ECS::TaskDefinition, Properties: {Cpu: !Ref Size, Memory: 2048}}}\n")
	empty := write("empty", "")
	const first = "estimate --cpu 1 --memory 2 --storage 30 --tasks 5 --seconds 600"
	for _, c := range []struct {
		line string
		code int
		want string // in what is printed
	}{
		{first + " --days 30 --region us-east-1", 0, "1.26 total"},
		{first + " --region us-east-1", 0, "TOTAL is for 1 days with 600 seconds a day."},
		{first + " --days 30 --region us-east-1 --page --arch arm64", 0, "1.02 total"},
		{"estimate --cpu 1 --memory 2 --spot --on 2021-02-01", 0, "APN1-SpotUsage-Fargate-vCPU-Hours:perCPU"},
		{"estimate --cpu 1 --memory 2 --discount 50 --currency JPY --rate 100 --decimals 0 --tasks 2", 0, "4498 total"},
		{"estimate --task-definition " + definition + " --output json", 0, `"hour": "0.015405"`},
		{"estimate --template " + template + " --parameter Size=1024", 0, "1 × Job: task of 1 vCPU, 2 GB"},
		{"estimate --template " + template, 1, "give it with --parameter Size=…"},
		{"estimate --template " + empty, 1, "no mapping"},
		{"estimate --prices " + empty + " --cpu 1 --memory 2", 1, "price list"},
		{"estimate --cpu 1 --memory 2 --on 2017-01-01", 1, "the first is from 2018-07-03"},
		{"estimate --cpu 1 --memory 2 --region atlantis-1", 1, `"atlantis-1"`},
		{"estimate --cpu 9 --memory 2", 1, "9 vCPU and 2 GB"},
		{"estimate --template " + filepath.Join(dir, "none"), 2, "no such file"},
		{"estimate --parameter Size", 2, "KEY=VALUE"},
		{"estimate --output csv --cpu 1 --memory 2", 2, `not "csv"`},
		{"estimate --cpu 1 --memory 2 --step soon", 2, "soon"},
		{"estimate extra", 2, "0 operands wanted"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), stdio{strings.NewReader(""), &out, &errs}, strings.Fields(c.line))
		if got := out.String() + errs.String(); code != c.code || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d, want %d and %q in:\n%s", c.line, code, c.code, c.want, got)
		}
		if code != 0 && out.Len() > 0 {
			t.Errorf("%s: failed, and printed %s", c.line, &out)
		}
		if strings.HasSuffix(c.line, "json") && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON", c.line)
		}
	}
}
