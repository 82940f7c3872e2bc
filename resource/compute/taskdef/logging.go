package taskdef

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Options of the awslogs driver.
const (
	LogGroup        = "awslogs-group"
	LogRegion       = "awslogs-region"
	LogStreamPrefix = "awslogs-stream-prefix"
	LogCreateGroup  = "awslogs-create-group"
	LogDatetime     = "awslogs-datetime-format"
	LogMultiline    = "awslogs-multiline-pattern"
	LogMode         = "mode"
	LogBuffer       = "max-buffer-size"
)

// Log modes: what becomes of output that cannot be delivered fast enough.
const (
	LogBlocking    = "blocking"     // the container waits
	LogNonBlocking = "non-blocking" // it is lost when the buffer is full
)

// DefaultLogBuffer is the buffer of the non-blocking mode, in bytes. Source:
// LogConfiguration API reference.
const DefaultLogBuffer = 10 << 20

// Gives reports whether an option is set, by the definition itself or by a secret.
func (l *Logging) Gives(option string) bool {
	return l.Options[option] != "" || slices.ContainsFunc(l.SecretOptions, func(s Secret) bool { return s.Name == option })
}

// Resolved is the configuration with the values that its secrets have.
func (l *Logging) Resolved(secrets map[string]string) *Logging {
	if len(secrets) == 0 {
		return l
	}
	r := Logging{LogDriver: l.LogDriver, Options: map[string]string{}}
	maps.Copy(r.Options, l.Options)
	maps.Copy(r.Options, secrets)
	return &r
}

// Stream is the log stream of a container of a task. Source: Send Amazon ECS logs
// to CloudWatch, Developer Guide.
func (l *Logging) Stream(container, task string) string {
	stream := container + "/" + task
	if prefix := l.Options[LogStreamPrefix]; prefix != "" {
		stream = prefix + "/" + stream
	}
	return stream
}

// CreatesGroup reports whether the driver is to make a log group that does not
// exist; ok is false when the option is no truth value.
func (l *Logging) CreatesGroup() (create, ok bool) {
	v := l.Options[LogCreateGroup]
	if v == "" {
		return false, true
	}
	create, err := strconv.ParseBool(v)
	return create, err == nil
}

// Mode is the log mode, fallback where the definition has none; ok is false when
// there is no such mode.
func (l *Logging) Mode(fallback string) (mode string, ok bool) {
	if mode = l.Options[LogMode]; mode == "" {
		mode = fallback
	}
	return mode, mode == LogBlocking || mode == LogNonBlocking
}

// bufferSizes are Docker's sizes of memory: a number, a unit of 1024 bytes or a power of
// it, and the word bytes in short.
var bufferSizes = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$`)

// BufferSize is the buffer of the non-blocking mode in bytes; ok is false when the
// option is no size of at least a byte.
func (l *Logging) BufferSize() (size int64, ok bool) {
	v := l.Options[LogBuffer]
	if v == "" {
		return DefaultLogBuffer, true
	}
	m := bufferSizes.FindStringSubmatch(strings.ToLower(v))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	for range strings.Index("kmgtp", m[2]) + min(len(m[2]), 1) {
		n *= 1024
	}
	return int64(n), err == nil && n >= 1 && n < 1<<62
}
