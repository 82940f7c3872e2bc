package image

import "testing"

func TestLayerRegion(t *testing.T) {
	for bucket, want := range map[string]string{
		"prod-us-east-1-starport-layer-bucket":      "us-east-1",
		"prod-eu-west-1-starport-layer-bucket":      "eu-west-1",
		"prod-nowhere-1-starport-layer-bucket":      "",
		"us-east-1":                                 "",
		"prod-us-east-1":                            "",
		"us-east-1-starport-layer-bucket":           "",
		"prod-prod-us-east-1-starport-layer-bucket": "",
		"prod-us-east-1-starport-layer-bucket-2":    "",
	} {
		region, ok := LayerRegion(bucket)
		if !ok {
			region = ""
		}
		if region != want {
			t.Errorf("%s: %q, want %q", bucket, region, want)
		}
	}
}

func TestLayerHost(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com":      "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com:8443": "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com:8443",
		"API.ECR.us-east-1.AMAZONAWS.com":                   "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com",
		"123456789012.dkr-ecr.us-east-1.on.aws":             "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com",
		"123456789012.dkr.ecr.us-east-1.localhost:4566":     "",
		"localhost:4566":                  "",
		"127.0.0.1:4566":                  "",
		"[::1]:4566":                      "",
		"":                                "",
		"amazonaws.com.example.com":       "",
		"example-amazonaws.com":           "",
		"prod.us-east-1.amazonaws.com.cn": "",
	} {
		got, ok := LayerHost(host, "us-east-1")
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if got, ok := LayerHost("api.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"); !ok || got != "prod-cn-north-1-starport-layer-bucket.s3.cn-north-1.amazonaws.com.cn" {
		t.Error(got, ok)
	}
}

func TestLayerDigest(t *testing.T) {
	sum := "cbda325984d7612f3b3ef5c295f3cb8a659f97d5794c59627104b1ab5c61501a"
	for key, want := range map[string]string{
		LayerKey("123456789012", "sha256:"+sum): "sha256:" + sum,
		sum:                                     "",
		"":                                      "",
		"123456789012/" + sum[1:]:               "",
		"123456789012/../" + sum:                "",
		"123456789012/" + sum + "/x":            "",
	} {
		got, ok := LayerDigest(key)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
