package runc_test

import (
	"testing"

	"neargate/node/sandbox/internal/hosttest"
	"neargate/node/sandbox/runc"
)

var under = hosttest.Runtime{New: runc.New}

func TestMain(m *testing.M) { hosttest.Main(m, under) }

func Test(t *testing.T) { hosttest.Run(t, under) }

func BenchmarkTask(b *testing.B) { hosttest.Bench(b, under) }

func BenchmarkRaw(b *testing.B) { hosttest.BenchRaw(b, under) }
