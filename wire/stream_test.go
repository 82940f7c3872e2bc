package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"neargate/aws/logs"
	"neargate/wire/shape"
)

// tailAPI answers StartLiveTail with a stream.
type tailAPI struct {
	logs.API
	stream func(ctx context.Context) iter.Seq2[*logs.StartLiveTailResponseStream, error]
	err    error
}

func (a tailAPI) StartLiveTail(ctx context.Context, _ *logs.StartLiveTailInput) (*logs.StartLiveTailOutput, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &logs.StartLiveTailOutput{ResponseStream: a.stream(ctx)}, nil
}

func started(id string) *logs.StartLiveTailResponseStream {
	return &logs.StartLiveTailResponseStream{SessionStart: &logs.LiveTailSessionStart{SessionId: &id}}
}

// message reads a message of a stream: its headers by name, and its payload.
func message(r io.Reader) (map[string]string, string, error) {
	prelude := make([]byte, 12)
	if _, err := io.ReadFull(r, prelude); err != nil {
		return nil, "", err
	}
	rest := make([]byte, binary.BigEndian.Uint32(prelude)-12)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, "", err
	}
	body, sum := rest[:len(rest)-4], binary.BigEndian.Uint32(rest[len(rest)-4:])
	if crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]) || crc32.ChecksumIEEE(append(prelude, body...)) != sum {
		return nil, "", errors.New("checksum")
	}
	n := binary.BigEndian.Uint32(prelude[4:])
	headers := map[string]string{}
	for h := body[:n]; len(h) > 0; {
		name := string(h[1 : 1+h[0]])
		h = h[1+len(name)+1:]
		value := string(h[2 : 2+binary.BigEndian.Uint16(h)])
		headers[name], h = value, h[2+len(value):]
	}
	return headers, string(body[n:]), nil
}

func tail(t *testing.T, api tailAPI, change func(*Config)) *http.Response {
	t.Helper()
	s := httptest.NewServer(server(func(c *Config) {
		c.Services = []shape.Service{logs.Describe(api)}
		if change != nil {
			change(c)
		}
	}))
	t.Cleanup(s.Close)
	body := `{"logGroupIdentifiers":["g"]}`
	signed := key("logs").sign(post("/", body, "X-Amz-Target", "Logs_20140328.StartLiveTail", "Content-Type", "application/x-amz-json-1.1"), body)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header, r.Host = signed.Header, signed.Host
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestStream(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  error
		want string // the message after two events
	}{
		{"end", nil, ""},
		{"exception", fmt.Errorf("wrapped: %w", logs.SessionTimeoutException("over")),
			`map[:content-type:application/x-amz-json-1.1 :exception-type:SessionTimeoutException :message-type:exception] {"__type":"SessionTimeoutException","message":"over"}`},
		{"failure", errors.New("secret"), `map[:error-code:ServiceUnavailableException :error-message:The service cannot complete the request. :message-type:error] `},
		{"panic", nil, `map[:error-code:ServiceUnavailableException :error-message:The service cannot complete the request. :message-type:error] `},
		{"cancelled", context.Canceled, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			observed := make(chan Call, 1)
			resp := tail(t, tailAPI{stream: func(context.Context) iter.Seq2[*logs.StartLiveTailResponseStream, error] {
				return func(yield func(*logs.StartLiveTailResponseStream, error) bool) {
					if yield(started("a"), nil) && yield(started("b"), nil) {
						if tt.name == "panic" {
							panic("secret")
						}
						if tt.end != nil {
							yield(nil, tt.end)
						}
					}
				}
			}}, func(c *Config) { c.Observe = func(k Call) { observed <- k } })
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || resp.Header.Get("X-Amzn-Requestid") == "" {
				t.Errorf("%d %v", resp.StatusCode, resp.Header)
			}
			var got []string
			for {
				headers, payload, err := message(resp.Body)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(headers, " ", payload))
			}
			event := "map[:content-type:application/x-amz-json-1.1 :event-type:%s :message-type:event] %s"
			want := []string{fmt.Sprintf(event, "initial-response", "{}"), fmt.Sprintf(event, "sessionStart", `{"sessionId":"a"}`), fmt.Sprintf(event, "sessionStart", `{"sessionId":"b"}`)}
			if tt.want != "" {
				want = append(want, tt.want)
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			select {
			case k := <-observed:
				if k.Status != 200 || k.Wrote < 100 || k.Operation != "StartLiveTail" {
					t.Errorf("%+v", k)
				}
			case <-time.After(10 * time.Second):
				t.Error("the call was not observed")
			}
		})
	}
}

func TestStreamRefused(t *testing.T) {
	resp := tail(t, tailAPI{err: logs.ResourceNotFoundException("none")}, nil)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 400 || string(body) != `{"__type":"ResourceNotFoundException","message":"none"}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestStreamEnds checks that a stream's context is over when the client leaves
// and when the server begins to end, and that events arrive one by one.
func TestStreamEnds(t *testing.T) {
	for _, name := range []string{"client", "server"} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			ending, end := context.WithCancel(context.Background())
			defer end()
			resp := tail(t, tailAPI{stream: func(ctx context.Context) iter.Seq2[*logs.StartLiveTailResponseStream, error] {
				return func(yield func(*logs.StartLiveTailResponseStream, error) bool) {
					defer close(over)
					if yield(started("a"), nil) {
						<-ctx.Done()
						yield(nil, ctx.Err())
					}
				}
			}}, func(c *Config) { c.Ending = ending })
			for range 2 {
				if _, _, err := message(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			if name == "client" {
				resp.Body.Close()
			} else {
				end()
				if _, err := io.ReadAll(resp.Body); err != nil {
					t.Error(err)
				}
			}
			select {
			case <-over:
			case <-time.After(10 * time.Second):
				t.Error("the stream goes on")
			}
		})
	}
}
