// Command api measures signed ECS calls against neargate beside moto_server and
// beside a bare Go HTTP server that answers the same bytes, in one run; with
// other flags, how neargate starts and how it does with many tasks.
//
// Every call is signed by the SDK's signer; one signed request is sent again and
// again, and neargate verifies it each time (moto does not verify). Servers run
// on one processor and the load on the other where there are two. Rounds are
// interleaved, after one that is not counted. In each neargate has its turn twice: its
// figures are those of both together, as what it puts off (garbage, upkeep of the store)
// would else fall into one of them each time, and their ratio shows the noise. What is
// printed is the median of the rounds' ratios, and their spread.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var (
	neargate = flag.String("neargate", "../bin/neargate", "the binary")
	beside   = flag.String("beside", "", "another binary of neargate to measure beside, instead of moto_server")
	rounds   = flag.Int("rounds", 7, "interleaved rounds")
	length   = flag.Duration("length", time.Second, "load in each round")
	clients  = flag.Int("clients", 16, "connections")
	only     = flag.String("only", "", "measure only the calls whose name contains this")
	start    = flag.Bool("start", false, "measure how fast neargate starts instead")
	policies = flag.Bool("policies", false, "measure calls of users with policies of 1 and 100 statements instead")
	large    = flag.String("large", "", "measure latencies on the installation that runs on this data directory instead")
	tasks    = flag.Int("tasks", 100_000, "how many tasks -large has")
	bare     = flag.String("bare", "", "serve the bytes of this file (used by the program itself)")
)

func main() {
	flag.Parse()
	if *bare != "" {
		serveBare(*bare)
		return
	}
	if err := measure(); err != nil {
		log.Fatal(err)
	}
}

func measure() error {
	if *large != "" {
		return measureLarge(*large, *tasks)
	}
	dir, err := os.MkdirTemp("", "neargate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *start {
		return measureStart(dir)
	}
	if *policies {
		return measurePolicies(dir)
	}
	return measureCalls(dir)
}

// server is a system under test.
type server struct {
	name string
	url  string
	pid  int
	key  aws.Credentials
	stop func()

	tasks []string // ARNs of tasks to describe
}

// measureCalls compares neargate with its peers, call by call.
func measureCalls(dir string) error {
	ng, err := startNeargate(dir, *neargate)
	if err != nil {
		return err
	}
	defer ng.stop()
	peers, err := startPeers(dir)
	if err != nil {
		return err
	}
	for _, p := range peers {
		defer p.stop()
	}
	definition := sampleDefinition()
	for _, s := range append([]*server{ng}, peers...) {
		if err := prepare(s, definition); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, what := range []struct {
		name string
		call func(*server) call
	}{
		{"DescribeTasks of 1 task", func(s *server) call { return s.request("DescribeTasks", s.describe(1)) }},
		{"DescribeTasks of 10 tasks", func(s *server) call { return s.request("DescribeTasks", s.describe(10)) }},
		{"RegisterTaskDefinition (durable in neargate)", func(s *server) call { return s.request("RegisterTaskDefinition", definition) }},
	} {
		if !strings.Contains(what.name, *only) {
			continue
		}
		answer, err := ng.send(what.call(ng))
		if err != nil {
			return err
		}
		bare, err := startBare(dir, answer)
		if err != nil {
			return err
		}
		bare.tasks = ng.tasks
		compare(what.name, ng, append(slices.Clone(peers), bare), what.call)
		bare.stop()
	}
	return nil
}

// compare runs interleaved rounds of one call and prints medians.
func compare(what string, ng *server, peers []*server, req func(*server) call) {
	all := append([]*server{ng, ng}, peers...)
	got := make([][]sample, len(all))
	for _, s := range all[1:] {
		s.load(req(s)) // not counted: first uses of code and memory
	}
	for range *rounds {
		for i, s := range all {
			n, took, cpu := s.load(req(s))
			got[i] = append(got[i], sample{float64(n), took.Seconds(), cpu.Seconds()})
		}
	}
	both := make([]sample, *rounds)
	for r := range both {
		a, b := got[0][r], got[1][r]
		both[r] = sample{a.calls + b.calls, a.took + b.took, a.cpu + b.cpu}
	}
	fmt.Printf("\n%s, %d connections, %d rounds of %v\n", what, *clients, *rounds, *length)
	fmt.Printf("%-14s %12s %16s %20s %20s\n", "", "calls/s", "calls/CPU-second", "ratio calls/s", "ratio calls/CPU-s")
	line := func(name string, of, to []sample) {
		var rate, perCPU, rr, rc []float64
		for r := range *rounds {
			rate, perCPU = append(rate, to[r].rate()), append(perCPU, to[r].perCPU())
			rr, rc = append(rr, of[r].rate()/to[r].rate()), append(rc, of[r].perCPU()/to[r].perCPU())
		}
		fmt.Printf("%-14s %12.0f %16.0f %20s %20s\n", name, median(rate), median(perCPU), spread(rr), spread(rc))
	}
	line(ng.name, both, both)
	line("(turn by turn)", got[0], got[1])
	for i, s := range peers {
		line(s.name, both, got[i+2])
	}
}

// sample is what one load came to.
type sample struct{ calls, took, cpu float64 } // seconds

func (s sample) rate() float64   { return s.calls / s.took }
func (s sample) perCPU() float64 { return s.calls / s.cpu }

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

func spread(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(v), slices.Min(v), slices.Max(v))
}

// call is a signed request to be sent again and again.
type call struct {
	header http.Header
	body   []byte
	host   string
}

// request signs an ECS call.
func (s *server) request(op string, in any) call {
	body, err := json.Marshal(in)
	if err != nil {
		log.Fatal(err)
	}
	return s.sign("ecs", body, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonEC2ContainerServiceV20141113." + op},
	})
}

func (s *server) sign(service string, body []byte, header http.Header) call {
	req, err := http.NewRequest(http.MethodPost, s.url+"/", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	req.Header = header
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), s.key, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		log.Fatal(err)
	}
	return call{req.Header, body, req.Host}
}

func (s *server) send(c call) ([]byte, error) {
	req, _ := http.NewRequest(http.MethodPost, s.url+"/", bytes.NewReader(c.body))
	req.Header = c.header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return b, err
}

// load sends the call over all connections for one round, and reports how many
// answers came and what processor time they cost the server.
func (s *server) load(c call) (n int64, took, cpu time.Duration) {
	raw := c.bytes()
	before, start := cpuTime(s.pid), time.Now()
	n, err := replay(s.address(), *clients, start.Add(*length), func() []byte { return raw }, func(time.Duration) {})
	if err != nil {
		panic(fmt.Errorf("%s: %w", s.name, err)) // which stops the servers, as log.Fatal would not
	}
	took, cpu = time.Since(start), cpuTime(s.pid)-before
	s.settle()
	return n, took, cpu
}

// settle waits until the server has done with what it was sent and nobody waits for: a
// slow one would take the processor from the next.
func (s *server) settle() {
	const look, calm = 100 * time.Millisecond, 20 * time.Millisecond
	for range int(10 * time.Second / look) {
		before := cpuTime(s.pid)
		time.Sleep(look)
		if cpuTime(s.pid)-before <= calm {
			return
		}
	}
}

func (s *server) address() string { return strings.TrimPrefix(s.url, "http://") }

// bytes are what the call looks like on the wire.
func (c call) bytes() []byte {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", c.host, len(c.body))
	c.header.Write(&raw)
	raw.WriteString("\r\n")
	raw.Write(c.body)
	return raw.Bytes()
}

// cpuTime is the processor time a process has used, from /proc.
func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		log.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}
