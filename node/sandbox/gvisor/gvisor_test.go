package gvisor_test

import (
	"testing"

	"neargate/node/sandbox/gvisor"
	"neargate/node/sandbox/internal/hosttest"
)

var under = hosttest.Runtime{New: gvisor.New, Gvisor: true}

func TestMain(m *testing.M) { hosttest.Main(m, under) }

func Test(t *testing.T) { hosttest.Run(t, under) }

var warm = hosttest.Runtime{New: gvisor.New, Gvisor: true, Warm: true}

func TestWarm(t *testing.T) { hosttest.Run(t, warm) }

func TestReady(t *testing.T) { hosttest.RunWarm(t, warm) }

func TestHastened(t *testing.T) { hosttest.RunHastened(t, under) }

func BenchmarkStart(b *testing.B) {
	hosttest.BenchStart(b, map[string]hosttest.Runtime{"cold": under, "warm": warm})
}

func BenchmarkBurst(b *testing.B) { hosttest.BenchBurst(b, under) }

func BenchmarkBeside(b *testing.B) { hosttest.BenchBeside(b, under) }

func BenchmarkBesideWarm(b *testing.B) { hosttest.BenchBeside(b, warm) }
