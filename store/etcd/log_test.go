package etcd

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
)

// locked is a buffer that many goroutines write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestStartsQuietly starts on new and on existing data.
func TestStartsQuietly(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		var said locked
		s, err := Open(context.Background(), Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, complaint := range []string{"campaign", "schema version", "storage version", "publish"} { // slow disks may be told of
			if strings.Contains(said.String(), complaint) {
				t.Errorf("a start says\n%s", said.String())
			}
		}
	}
}

func TestLogLevels(t *testing.T) {
	for _, c := range []struct {
		log  func(*zap.Logger, string, ...zap.Field)
		text string
		want string
	}{
		{(*zap.Logger).Info, "compacted", ""},
		{(*zap.Logger).Warn, "slow fdatasync", "level=WARN msg=\"slow fdatasync\" from=etcd\n"},
		{(*zap.Logger).Warn, "4fac2aeb9bf14ba1 cannot campaign at term 2 since there are still pending configuration changes to apply", ""},
		{(*zap.Logger).Warn, "4fac2aeb9bf14ba1 is unpromotable and can not campaign", "level=WARN msg=\"4fac2aeb9bf14ba1 is unpromotable and can not campaign\" from=etcd\n"},
		{(*zap.Logger).Error, "corrupt", "level=ERROR msg=corrupt from=etcd\n"},
	} {
		var said locked
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		c.log(zapLogger(slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{ReplaceAttr: noTime}))), c.text)
		if said.String() != c.want {
			t.Errorf("%q is logged as %q, want %q", c.text, said.String(), c.want)
		}
	}
}
