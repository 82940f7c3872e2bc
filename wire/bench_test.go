package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

const benchBody = `{"cluster":"arn:aws:ecs:ap-northeast-1:111111111111:cluster/default","maxResults":100}`

// BenchmarkServe is a signed ListClusters through every stage, without the
// network, beside a handler that reads its body and answers a constant.
func BenchmarkServe(b *testing.B) {
	handlers := map[string]http.Handler{
		"frontdoor": server(func(c *Config) { c.Limits = nil }),
		"bare": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			io.WriteString(w, `{"clusterArns":["arn:of:one"]}`)
		}),
	}
	for name, h := range handlers {
		b.Run(name, func(b *testing.B) {
			r := key("ecs").sign(ecsCall("ListClusters", benchBody), benchBody)
			body := strings.NewReader(benchBody)
			w := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(benchBody)
				r.Body = io.NopCloser(body)
				clear(w.header)
				w.status = 200
				h.ServeHTTP(w, r)
			}
			if w.status != 200 {
				b.Fatal(w.status)
			}
		})
	}
}

// BenchmarkHTTP is the same over loopback connections kept alive.
func BenchmarkHTTP(b *testing.B) {
	handlers := map[string]http.Handler{
		"frontdoor": server(nil),
		"bare": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			io.WriteString(w, `{"clusterArns":["arn:of:one"]}`)
		}),
	}
	for name, h := range handlers {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(h)
			defer s.Close()
			signed := key("ecs").sign(ecsCall("ListClusters", benchBody), benchBody)
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequest("POST", s.URL+"/", strings.NewReader(benchBody))
				if err != nil {
					b.Fatal(err)
				}
				r.Header, r.Host = signed.Header, signed.Host
				resp, err := s.Client().Do(r)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					b.Fatal(resp.Status)
				}
			}
		})
	}
}
