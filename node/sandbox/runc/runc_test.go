package runc_test

import (
	"testing"

	"neargate/node/sandbox/internal/hosttest"
	"neargate/node/sandbox/runc"
)

var under = hosttest.Runtime{New: runc.New}

func TestMain(m *testing.M) { hosttest.Main(m, under) }

func Test(t *testing.T) { hosttest.Run(t, under) }

func BenchmarkStart(b *testing.B) {
	hosttest.BenchStart(b, map[string]hosttest.Runtime{"cold": under})
}

func BenchmarkBurst(b *testing.B) { hosttest.BenchBurst(b, under) }

func BenchmarkBeside(b *testing.B) { hosttest.BenchBeside(b, under) }
