// Command api measures signed ECS calls against neargate beside moto_server and
// beside a bare Go HTTP server that answers the same bytes, in one run.
//
// Every call is signed by the SDK's signer; one signed request is sent again and
// again, and neargate verifies it each time (moto does not verify). Servers run
// on one processor and the load on the other where there are two. Rounds are
// interleaved; what is printed is the median of the rounds' ratios, and the
// spread of neargate against itself as the noise.
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
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var (
	neargate = flag.String("neargate", "../bin/neargate", "the binary")
	rounds   = flag.Int("rounds", 7, "interleaved rounds")
	length   = flag.Duration("length", 2*time.Second, "load in each round")
	clients  = flag.Int("clients", 16, "connections")
	floor    = flag.String("floor", "", "serve the bytes of this file (used by the program itself)")
)

func main() {
	flag.Parse()
	if *floor != "" {
		serveFloor(*floor)
		return
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// server is a system under test.
type server struct {
	name string
	url  string
	pid  int
	key  aws.Credentials
	stop func()
}

func run() error {
	dir, err := os.MkdirTemp("", "neargate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ng, err := startNeargate(dir)
	if err != nil {
		return err
	}
	defer ng.stop()
	peers := []*server{}
	moto, err := startMoto()
	if err != nil {
		fmt.Println("moto_server is not installed: measuring without it")
	} else {
		defer moto.stop()
		peers = append(peers, moto)
	}
	definition := sampleDefinition()
	for _, s := range append([]*server{ng}, peers...) {
		if err := prepare(s, definition); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	answer, err := ng.send(ng.request("DescribeTasks", describe(ng)))
	if err != nil {
		return err
	}
	bare, err := startFloor(dir, answer)
	if err != nil {
		return err
	}
	defer bare.stop()
	compare("DescribeTasks (1 task)", ng, append(peers, bare), func(s *server) call { return s.request("DescribeTasks", describe(s)) })
	compare("RegisterTaskDefinition (durable)", ng, peers, func(s *server) call { return s.request("RegisterTaskDefinition", definition) })
	return nil
}

// compare runs interleaved rounds of one call and prints medians.
func compare(what string, ng *server, peers []*server, req func(*server) call) {
	type sample struct{ rate, perCPU float64 }
	all := append([]*server{ng, ng}, peers...) // twice: the second shows the noise
	got := make([][]sample, len(all))
	for range *rounds {
		for i, s := range all {
			n, took, cpu := s.load(req(s))
			got[i] = append(got[i], sample{float64(n) / took.Seconds(), float64(n) / cpu.Seconds()})
		}
	}
	fmt.Printf("\n%s, %d connections, %d rounds of %v\n", what, *clients, *rounds, *length)
	fmt.Printf("%-14s %12s %16s %14s %18s\n", "", "calls/s", "calls/CPU-second", "ratio calls/s", "ratio calls/CPU-s")
	for i, s := range all {
		rate := make([]float64, *rounds)
		perCPU := make([]float64, *rounds)
		rr := make([]float64, *rounds)
		rc := make([]float64, *rounds)
		for r := range *rounds {
			rate[r], perCPU[r] = got[i][r].rate, got[i][r].perCPU
			rr[r] = got[0][r].rate / got[i][r].rate
			rc[r] = got[0][r].perCPU / got[i][r].perCPU
		}
		name := s.name
		if i == 1 {
			name = "(itself again)"
		}
		fmt.Printf("%-14s %12.0f %16.0f %14s %18s\n", name, median(rate), median(perCPU), spread(rr), spread(rc))
	}
}

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

func (s *server) request(op string, in any) call {
	body, err := json.Marshal(in)
	if err != nil {
		log.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodPost, s.url+"/", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+op)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), s.key, req, hex.EncodeToString(sum[:]), "ecs", "us-east-1", time.Now()); err != nil {
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
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", c.host, len(c.body))
	c.header.Write(&raw)
	raw.WriteString("\r\n")
	raw.Write(c.body)
	before, start := cpuTime(s.pid), time.Now()
	var done atomic.Int64
	var wg sync.WaitGroup
	for range *clients {
		wg.Go(func() {
			count, err := replay(strings.TrimPrefix(s.url, "http://"), raw.Bytes(), start.Add(*length))
			if err != nil {
				log.Fatalf("%s: %v", s.name, err)
			}
			done.Add(count)
		})
	}
	wg.Wait()
	return done.Load(), time.Since(start), cpuTime(s.pid) - before
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

func sampleDefinition() map[string]any {
	return map[string]any{
		"family": "bench", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512",
		"containerDefinitions": []any{map[string]any{
			"name": "app", "image": "public.ecr.aws/docker/library/httpd:latest", "essential": true, "memory": 256,
			"portMappings": []any{map[string]any{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}},
			"environment":  []any{map[string]any{"name": "STAGE", "value": "bench"}},
		}},
	}
}

// prepare makes a cluster and a task to describe.
func prepare(s *server, definition any) error {
	for _, step := range []struct {
		op string
		in any
	}{
		{"CreateCluster", map[string]any{"clusterName": "bench"}},
		{"RegisterTaskDefinition", definition},
	} {
		if _, err := s.send(s.request(step.op, step.in)); err != nil {
			return err
		}
	}
	return runTask(s)
}

var tasks sync.Map // server name to task ARN

func describe(s *server) any {
	arn, _ := tasks.Load(s.name)
	return map[string]any{"cluster": "bench", "tasks": []any{arn}}
}

func runTask(s *server) error {
	subnet, err := defaultSubnet(s)
	if err != nil {
		return err
	}
	b, err := s.send(s.request("RunTask", map[string]any{
		"cluster": "bench", "taskDefinition": "bench", "launchType": "FARGATE",
		"networkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{"subnets": []string{subnet}}},
	}))
	if err != nil {
		return err
	}
	var out struct {
		Tasks []struct {
			TaskArn string `json:"taskArn"`
		} `json:"tasks"`
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out.Tasks) == 0 {
		return fmt.Errorf("RunTask answered %s", b)
	}
	tasks.Store(s.name, out.Tasks[0].TaskArn)
	return nil
}

func defaultSubnet(s *server) (string, error) {
	cmd := exec.Command("aws", "ec2", "describe-subnets", "--query", "Subnets[0].SubnetId", "--output", "text")
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+s.url, "AWS_ACCESS_KEY_ID="+s.key.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+s.key.SecretAccessKey, "AWS_DEFAULT_REGION=us-east-1")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func startNeargate(dir string) (*server, error) {
	data := filepath.Join(dir, "data")
	bin, err := filepath.Abs(*neargate)
	if err != nil {
		return nil, err
	}
	if out, err := onCPU(0, bin, "up", "-d", "--no-throttle", "--data-dir", data, "--listen", "127.0.0.1:0").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	s := &server{name: "neargate", stop: func() { exec.Command(bin, "down", "--data-dir", data).Run() }}
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
	s.url, s.pid = "http://"+run.Address, run.PID
	s.key = aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.Secret}
	return s, nil
}

func startMoto() (*server, error) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return nil, err
	}
	port := freePort()
	return start("moto_server", port, onCPU(0, path, "-H", "127.0.0.1", "-p", port))
}

func startFloor(dir string, answer []byte) (*server, error) {
	file := filepath.Join(dir, "answer")
	if err := os.WriteFile(file, answer, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port := freePort()
	cmd := onCPU(0, self, "-floor", file)
	cmd.Env = append(os.Environ(), "PORT="+port)
	return start("net/http", port, cmd)
}

// serveFloor answers every request with the same bytes, having read its body.
func serveFloor(file string) {
	answer, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Write(answer)
	})))
}

// start runs a server until it accepts connections.
func start(name, port string, cmd *exec.Cmd) (*server, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, url: "http://127.0.0.1:" + port, pid: cmd.Process.Pid,
		key: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}}
	s.stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for range 600 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not listen", name)
}

// onCPU pins a command to a processor where taskset is installed.
func onCPU(cpu int, args ...string) *exec.Cmd {
	if _, err := exec.LookPath("taskset"); err == nil {
		args = append([]string{"taskset", "-c", strconv.Itoa(cpu)}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
