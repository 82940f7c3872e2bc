package awsdoor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"neargate/auth"
)

func TestLayers(t *testing.T) {
	asked := ""
	var answer error
	pass := func(_ context.Context, c auth.Caller, action, resource string) error {
		asked = c.SourceIP + " " + action + " " + resource
		return answer
	}
	h := Layers(pass, tell("registries"), tell("objects"))
	url := LayerURL("eu-west-1") + "/v2/_layers/token?x=y"
	for _, tt := range []struct {
		url, want string
		err       error
		status    int
	}{
		{url, "registries", nil, 200},
		{url, "<Code>AccessDenied</Code>", &auth.Denied{}, 403},
		{url, "<Code>InternalError</Code>", errors.New("x"), 500},
		{"https://mine.s3.eu-west-1.amazonaws.com/k", "objects", errors.New("x"), 200},
		{"https://prod-x.s3.eu-west-1.amazonaws.com/k", "objects", errors.New("x"), 200},
	} {
		answer = tt.err
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.url, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", tt.url, w.Code, w.Body)
		}
	}
	if asked != "192.0.2.1 s3:GetObject arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/v2/_layers/token" {
		t.Error(asked)
	}
}
