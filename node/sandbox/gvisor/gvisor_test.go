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

func BenchmarkTask(b *testing.B) { hosttest.Bench(b, under) }

func BenchmarkWarm(b *testing.B) { hosttest.Bench(b, warm) }

func BenchmarkRaw(b *testing.B) { hosttest.BenchRaw(b, under) }
