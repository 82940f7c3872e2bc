package fake_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"neargate/node/sandbox"
	"neargate/node/sandbox/fake"
	"neargate/node/sandbox/sandboxtest"
)

// script reads a container's behaviour from its arguments.
func script(_ string, c sandbox.Container) fake.Behaviour {
	switch c.Args[0] {
	case "deaf":
		return fake.Behaviour{Deaf: true}
	case "reads":
		return fake.Behaviour{Reads: true}
	case "broken":
		return fake.Behaviour{StartError: errors.New("no such file")}
	case "exit":
		code, _ := strconv.Atoi(c.Args[1])
		return fake.Behaviour{Life: time.Nanosecond, Code: int32(code)}
	case "slow":
		return fake.Behaviour{StartTakes: 3 * time.Second, Life: time.Minute, StopTakes: 5 * time.Second, StopCode: 9}
	case "oom":
		return fake.Behaviour{Life: time.Second, OOM: true}
	}
	return fake.Behaviour{}
}

func container(name string, args ...string) sandbox.Container {
	return sandbox.Container{Name: name, Args: args}
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, func(*testing.T) sandboxtest.Kit {
		return sandboxtest.Kit{
			Sandbox: fake.New(script),
			Polite:  func(name string) sandbox.Container { return container(name, "polite") },
			Deaf:    func(name string) sandbox.Container { return container(name, "deaf") },
			Reads:   func(name string) sandbox.Container { return container(name, "reads") },
			Broken:  func(name string) sandbox.Container { return container(name, "broken") },
			Exits: func(name string, code int32) sandbox.Container {
				return container(name, "exit", strconv.Itoa(int(code)))
			},
		}
	})
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		does string
		term bool
		want time.Duration
		code int32
	}{
		{"slow", false, 63 * time.Second, 0},
		{"slow", true, 8 * time.Second, 9},
		{"oom", false, time.Second, 137},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, ctx, begin := fake.New(script), t.Context(), time.Now()
			if err := errors.Join(s.Open(ctx, sandbox.Spec{Task: "t"}), s.Create(ctx, "t", container("a", c.does)), s.Start(ctx, "t", "a")); err != nil {
				t.Fatal(err)
			}
			if c.term {
				if err := s.Signal(ctx, "t", "a", 15); err != nil {
					t.Fatal(err)
				}
			}
			e, err := s.Wait(ctx, "t", "a")
			if err != nil || e.Code != c.code || e.OOM != (c.does == "oom") {
				t.Errorf("%s: %+v, %v", c.does, e, err)
			}
			if d := time.Since(begin); d != c.want {
				t.Errorf("%s ended after %v, want %v", c.does, d, c.want)
			}
		})
	}
}
