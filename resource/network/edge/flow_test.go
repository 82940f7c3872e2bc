package edge

import (
	"reflect"
	"testing"
	"time"
)

func TestFlowFields(t *testing.T) {
	for _, c := range []struct {
		format  string
		fields  []string
		unknown []string
		version int
	}{
		{"${version}", []string{"version"}, nil, 2},
		{"${srcaddr} ${tcp-flags}", []string{"srcaddr", "tcp-flags"}, nil, 3},
		{"${region} ${vpc-id}", []string{"region", "vpc-id"}, nil, 4},
		{"${flow-direction} ${bytes} ${az-id}", []string{"flow-direction", "bytes", "az-id"}, nil, 5},
		{"${version} ${colour}", []string{"version", "colour"}, []string{"colour"}, 2},
		{"${version} ", nil, nil, 2},
		{"${version}  ${start}", nil, nil, 2},
		{"${version},${start}", nil, nil, 2},
		{"version", nil, nil, 2},
		{"${}", nil, nil, 2},
		{"", nil, nil, 2},
	} {
		got := FlowFields(c.format)
		unknown := UnknownFlowFields(got)
		if !reflect.DeepEqual(got, c.fields) || len(unknown) != len(c.unknown) || len(unknown) > 0 && unknown[0] != c.unknown[0] || FlowVersion(got) != c.version {
			t.Errorf("%q: %q, unknown %q, version %d", c.format, got, unknown, FlowVersion(got))
		}
	}
	if n := len(FlowFields(DefaultFlowFormat)); n != 14 {
		t.Errorf("the default format has %d fields", n)
	}
}

func TestFlowKey(t *testing.T) {
	f := FlowLog{Account: "123456789012", Region: "us-east-1", ID: "fl-1", Destination: "arn:aws:s3:::logs/some/folder/"}
	at := time.Date(2026, 9, 3, 16, 23, 59, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		files *FlowFiles
		want  string
	}{
		{nil, "some/folder/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/09/03/"},
		{&FlowFiles{Hourly: true}, "some/folder/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/09/03/15/"},
		{&FlowFiles{Hive: true, Hourly: true},
			"some/folder/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=09/day=03/hour=15/"},
	} {
		f.Files = c.files
		if got := f.Key(at, "0a1b2c3d"); got != c.want+"123456789012_vpcflowlogs_us-east-1_fl-1_20260903T1520Z_0a1b2c3d.log.gz" {
			t.Errorf("%+v: %s", c.files, got)
		}
	}
	f.Destination, f.Files = "arn:aws:s3:::logs", nil
	if b, folder := f.Bucket(); b != "logs" || folder != "" {
		t.Errorf("%q %q", b, folder)
	}
	if got := f.Key(at, "x"); got[:8] != "AWSLogs/" {
		t.Errorf("without a folder: %s", got)
	}
}
