package etcd

import (
	"context"
	"log/slog"
	"regexp"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger passes etcd's warnings and errors to an slog.Logger. What etcd calls
// information is detail here.
func zapLogger(l *slog.Logger) *zap.Logger { return zap.New(zapCore{l.With("from", "etcd")}) }

type zapCore struct{ log *slog.Logger }

// quiet is what a member complains of until it has written its first term and
// read its log again: it stands for election before it knows that it is in the
// cluster, and again with the next tick.
var quiet = regexp.MustCompile("^(Failed to detect schema version|failed to update storage version|" +
	"failed to publish local member to cluster through raft|" +
	"[0-9a-f]+ cannot campaign at term [0-9]+ since there are still pending configuration changes to apply)$")

func level(l zapcore.Level) slog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled implements zapcore.LevelEnabler.
func (c zapCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), level(l))
}

// With implements zapcore.Core.
func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{c.log.With(arguments(fields)...)}
}

// Check implements zapcore.Core.
func (c zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	l := level(e.Level)
	if quiet.MatchString(e.Message) {
		l = slog.LevelDebug
	}
	c.log.Log(context.Background(), l, e.Message, arguments(fields)...)
	return nil
}

// Sync implements zapcore.Core.
func (c zapCore) Sync() error { return nil }

func arguments(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	var args []any
	for k, v := range enc.Fields {
		args = append(args, k, v)
	}
	return args
}
