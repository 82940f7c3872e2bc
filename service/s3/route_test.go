package s3

import "testing"

func TestSplitHost(t *testing.T) {
	for host, want := range map[string]string{
		"s3.eu-west-1.amazonaws.com":                             "",
		"a.b.s3.eu-west-1.amazonaws.com":                         "a.b",
		"b.s3-eu-west-1.amazonaws.com":                           "b",
		"b.s3.dualstack.eu-west-1.amazonaws.com":                 "b",
		"vpce-1-x.s3.eu-west-1.vpce.amazonaws.com":               "",
		"bucket.vpce-1-x.s3.eu-west-1.vpce.amazonaws.com":        "",
		"a.b.bucket.vpce-1-x.s3.eu-west-1.vpce.amazonaws.com":    "a.b",
		"b.accesspoint.vpce-1-x.s3.eu-west-1.vpce.amazonaws.com": "",
		"b.localhost":                             "b",
		"s3.localhost":                            "",
		"ecs.eu-west-1.amazonaws.com":             "-",
		"vpce-1.ecs.eu-west-1.vpce.amazonaws.com": "-",
	} {
		bucket, ok := splitHost(host)
		switch {
		case ok != (want != "-") && host != "b.localhost":
			t.Errorf("%s: an endpoint: %v", host, ok)
		case want != "-" && bucket != want:
			t.Errorf("%s: %q", host, bucket)
		}
	}
}
