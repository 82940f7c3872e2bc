package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// measureLarge prints how long signed DescribeTasks calls of random tasks take
// on a running installation that bench/fill has filled with so many tasks.
func measureLarge(data string, tasks int) error {
	s, err := running(data)
	if err != nil {
		return err
	}
	fmt.Printf("%-44s %8s %8s %8s %8s\n", "DescribeTasks, signed, over HTTP", "n", "p50 ms", "p99 ms", "max ms")
	for _, load := range []struct{ described, connections int }{{1, 1}, {10, 1}, {100, 1}, {1, 16}, {10, 16}} {
		requests := s.random(tasks, load.described)
		var took []time.Duration
		at := 0
		_, err := replay(s.address(), load.connections, time.Now().Add(*length), func() []byte {
			at++
			return requests[at%len(requests)]
		}, func(d time.Duration) { took = append(took, d) })
		if err != nil {
			return err
		}
		slices.Sort(took)
		n := len(took)
		fmt.Printf("%-44s %8d %8.2f %8.2f %8.2f\n", fmt.Sprintf("%d of %d tasks, %d connections", load.described, tasks, load.connections),
			n, ms(took[n/2]), ms(took[n*99/100]), ms(took[n-1]))
	}
	mib, err := residentMiB(s.pid)
	fmt.Printf("resident memory with %d tasks: %d MiB\n", tasks, mib)
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// random makes many different requests, signed beforehand.
func (s *server) random(tasks, described int) [][]byte {
	out := make([][]byte, 1000)
	for i := range out {
		ids := make([]string, described)
		for j := range ids {
			ids[j] = fmt.Sprintf("%032x", rand.IntN(tasks))
		}
		out[i] = s.request("DescribeTasks", map[string]any{"cluster": "large", "tasks": ids}).bytes()
	}
	return out
}

// running is the neargate that runs on the data directory.
func running(data string) (*server, error) {
	var run struct {
		PID     int
		Address string
	}
	var root struct{ AccessKeyID, Secret string }
	for file, v := range map[string]any{"run.json": &run, "root.json": &root} {
		b, err := os.ReadFile(filepath.Join(data, file))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, v); err != nil {
			return nil, err
		}
	}
	return &server{name: "neargate", url: "http://" + run.Address, pid: run.PID,
		key: aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.Secret}}, nil
}
