package metadata

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/node/usage"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

var update = flag.Bool("update", false, "write the golden files")

var begin = time.Date(2026, 9, 1, 12, 0, 0, 123456789, time.UTC)

const (
	taskA = "0123456789abcdef0123456789abcdef"
	taskB = "ffffffffffffffffffffffffffffffff"
)

// sample is a task of a service with three containers: one that runs, one that is
// over, one not made yet.
func sample(id, ip string) View {
	after := func(d time.Duration) time.Time { return begin.Add(d) }
	return View{
		Task: compute.Task{
			Account: "111122223333", Region: "us-east-1", Cluster: "prod", ID: id, Zone: "us-east-1a", CreatedAt: begin,
			Spec: compute.TaskSpec{
				Family: "web", Revision: 7, Group: "service:front", Service: "front", LaunchType: "FARGATE",
				CPU: 256, Memory: 512, EphemeralGiB: 20, TaskRole: "arn:aws:iam::111122223333:role/web",
				Containers: []compute.ContainerSpec{
					{ID: "11111111-1111-4111-8111-111111111111", Name: "app", Image: "public.ecr.aws/docker/library/httpd:latest", Essential: true, HealthCheck: true, CPU: "128", Memory: "256"},
					{ID: "22222222-2222-4222-8222-222222222222", Name: "init", Image: "busybox", CPU: "0"},
					{ID: "33333333-3333-4333-8333-333333333333", Name: "late", Image: "busybox", CPU: "0"},
				},
			},
			Intent: compute.Intent{Desired: compute.Running},
			Attachment: compute.Attachment{MAC: "12:34:56:78:9a:bc", PrivateIP: ip,
				PrivateDNS: "ip-" + strings.ReplaceAll(ip, ".", "-") + ".ec2.internal"},
			State: compute.TaskState{
				Last: compute.Running, PullStartedAt: after(time.Second), PullStoppedAt: after(2 * time.Second), StartedAt: after(3 * time.Second),
				Containers: []compute.ContainerState{
					{Name: "app", Last: compute.Running, ImageDigest: "sha256:aa", Health: compute.Healthy, Started: true},
					{Name: "init", Last: compute.Stopped, ImageDigest: "sha256:bb", ExitCode: new(int32(0)), Started: true},
					{Name: "late", Last: compute.Pending},
				},
			},
			Tags: []compute.Tag{{Key: "team", Value: "a<b"}, {Key: "aws:ecs:clusterName", Value: "prod"}},
		},
		Definition: taskdef.Definition{
			Family: "web", Revision: 7,
			ContainerDefinitions: []taskdef.Container{
				{Name: "app", DockerLabels: map[string]string{"version": "1", "com.amazonaws.ecs.cluster": "forged"},
					RestartPolicy: &taskdef.RestartPolicy{Enabled: true},
					LogConfiguration: &taskdef.Logging{LogDriver: "awslogs", Options: map[string]string{
						"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"},
						SecretOptions: []taskdef.Secret{{Name: "key", ValueFrom: "arn:secret"}}}},
				{Name: "init"}, {Name: "late"},
			},
		},
		Containers: []Container{
			{ID: id + "-0000000001", CreatedAt: after(2500 * time.Millisecond), StartedAt: after(3 * time.Second), Restarts: 2, Health: Health{Since: after(4 * time.Second), Output: "ok"}},
			{ID: id + "-0000000002", CreatedAt: after(2 * time.Second), StartedAt: after(2 * time.Second), FinishedAt: after(2100 * time.Millisecond)},
			{},
		},
		ZoneID: "use1-az1",
		Network: Network{Subnet: netip.MustParsePrefix("10.1.16.0/20"), Nameservers: []netip.Addr{netip.MustParseAddr("10.1.0.2")},
			Search: []string{"ec2.internal"}},
		Stats: func(context.Context) (usage.Pair, error) {
			at := func(s int, cpu time.Duration) usage.Figures {
				return usage.Figures{
					At:         after(time.Duration(s) * time.Second),
					Containers: map[string]usage.Container{"app": {CPU: cpu, User: cpu / 2, Kernel: cpu / 4, Memory: 50 << 20, MaxMemory: 60 << 20, Limit: 256 << 20, Cache: 1 << 20, Processes: 3}},
					Networks:   map[string]usage.Traffic{"eth0": {ReceivedBytes: uint64(100 * s), ReceivedPackets: 4, SentBytes: uint64(50 * s), SentPackets: 5, SentDropped: 1}},
					Host:       usage.Host{CPU: time.Duration(s) * time.Hour, CPUs: 2},
				}
			}
			return usage.Pair{Before: at(10, time.Second), Now: at(20, 3*time.Second)}, nil
		},
		Disk: func(context.Context) (uint64, error) { return 718<<20 + 5, nil },
	}
}

// hostTasks are tasks by VPC and address.
type hostTasks map[string]View

func (h hostTasks) Find(vpc string, a netip.Addr) (View, bool) {
	v, ok := h[vpc+" "+a.String()]
	return v, ok
}

var tasks = hostTasks{"vpc-1 10.1.16.5": sample(taskA, "10.1.16.5"), "vpc-1 10.1.16.6": sample(taskB, "10.1.16.6"), "vpc-2 10.1.16.5": sample(taskB, "10.1.16.5")}

func kept() (usage.Clock, error) {
	return usage.Clock{At: begin.Add(time.Hour), Synchronized: true, Error: 556966 * time.Nanosecond}, nil
}

func call(e http.Handler, from, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = from + ":40000"
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func testEndpoint(p Protector) *endpoint {
	e := newEndpoint("vpc-1", tasks, p, nil)
	e.clock = kept
	return e
}

func TestGolden(t *testing.T) {
	e := testEndpoint(nil)
	for name, path := range map[string]string{
		"v4_container": "/v4/" + taskA + "-0000000001", "v4_stopped": "/v4/" + taskA + "-0000000002",
		"v4_task": "/v4/" + taskA + "-0000000002/task", "v4_tags": "/v4/" + taskA + "-0000000001/taskWithTags",
		"v4_stats": "/v4/" + taskA + "-0000000001/stats", "v4_task_stats": "/v4/" + taskA + "-0000000001/task/stats",
		"v3_container": "/v3/" + taskA + "-0000000001", "v3_task": "/v3/" + taskA + "-0000000001/task",
		"v3_stats": "/v3/" + taskA + "-0000000001/stats", "v3_tags": "/v3/" + taskA + "-0000000001/taskWithTags",
	} {
		w := call(e, "10.1.16.5", "GET", path, "")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s %s", name, w.Code, w.Header(), w.Body)
			continue
		}
		var got bytes.Buffer
		if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s:\n%s", name, got.Bytes())
		}
		head := call(e, "10.1.16.5", "HEAD", path, "")
		if head.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", name, head.Code)
		}
	}
}

// What is not known yet is left out, and breaks nothing.
func TestBare(t *testing.T) {
	v := View{Task: compute.Task{Account: "1", Region: "us-east-1", Cluster: "c", ID: "t", Spec: compute.TaskSpec{
		Containers: []compute.ContainerSpec{{Name: "app"}, {Name: "side"}}}}, Containers: []Container{{ID: "t-1"}}}
	e := newEndpoint("vpc-1", hostTasks{"vpc-1 10.1.16.5": v}, nil, nil)
	e.clock = func() (usage.Clock, error) { return usage.Clock{}, errors.New("no clock") }
	for _, path := range []string{"/v4/t-1", "/v4/t-1/task", "/v4/t-1/taskWithTags", "/v3/t-1", "/v3/t-1/task"} {
		w := call(e, "10.1.16.5", "GET", path, "")
		var d map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, absent := range []string{"PullStartedAt", "ClockDrift", "EphemeralStorageMetrics", "CreatedAt", "StartedAt", "ExitCode", "Health", "TaskTags", "ServiceName", "LogDriver", "RestartCount"} {
			if x, ok := d[absent]; ok {
				t.Errorf("%s: %s is %v", path, absent, x)
			}
		}
		if d["KnownStatus"] != "PENDING" || d["DesiredStatus"] != "RUNNING" {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	for path, want := range map[string]string{
		"/v4/t-1/stats":      `"Unable to get container stats for: t-1"`,
		"/v4/t-1/task/stats": `"Unable to get task stats for: arn:aws:ecs:us-east-1:1:task/c/t"`,
	} {
		if w := call(e, "10.1.16.5", "GET", path, ""); w.Code != 500 || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestStatuses(t *testing.T) {
	for last, want := range map[compute.Status]compute.Status{
		compute.Provisioning: compute.Pending, compute.Pending: compute.Pending, compute.Activating: compute.Pending,
		compute.Running: compute.Running, compute.Deactivating: compute.Running, compute.Stopping: compute.Running,
		compute.Deprovisioning: compute.Stopped, compute.Stopped: compute.Stopped, "": compute.Pending,
	} {
		if got := known(last); got != want {
			t.Errorf("%s: %s, want %s", last, got, want)
		}
	}
	e := testEndpoint(nil)
	e.clock = func() (usage.Clock, error) { return usage.Clock{At: begin, Error: time.Hour}, nil }
	w := call(e, "10.1.16.5", "GET", "/v4/"+taskA+"-0000000001/task", "")
	if want := `"ClockDrift":{"ReferenceTimestamp":"2026-09-01T12:00:00Z","ClockSynchronizationStatus":"NOT_SYNCHRONIZED"}`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s, want %s", w.Body, want)
	}
}

func TestRefusals(t *testing.T) {
	e := testEndpoint(nil)
	const id = taskA + "-0000000001"
	for _, c := range []struct {
		from, method, path string
		code               int
		body               string
	}{
		{"10.1.16.5", "GET", "/v4/bad", 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v4/", 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: "`},
		{"10.1.16.5", "GET", "/v4/bad/task", 404, `"V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v4/bad/taskWithTags", 404, `"V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v4/bad/stats", 404, `"V4 container handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v4/bad/task/stats", 404, `"V4 task stats handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v3/bad", 500, `"V3 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: bad"`},
		{"10.1.16.5", "GET", "/v4/" + taskA + "-0000000002/stats", 500, `"Unable to get container stats for: ` + taskA + `-0000000002"`},
		{"10.1.16.5", "GET", "/v4/" + id + "/other", 404, "404 page not found\n"},
		{"10.1.16.5", "GET", "/", 404, "404 page not found\n"},
		{"10.1.16.5", "GET", "/latest/meta-data/", 404, "404 page not found\n"},
		{"10.1.16.5", "GET", "/api/" + id + "/task-protection/v1/state", 404, "404 page not found\n"},
		{"10.1.16.5", "POST", "/v4/" + id, 405, "Method Not Allowed\n"},
		{"10.1.16.5", "DELETE", "/v4/" + id + "/task", 405, "Method Not Allowed\n"},
		// The same path from elsewhere.
		{"10.1.16.6", "GET", "/v4/" + id, 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: ` + id + `"`},
		{"10.1.16.7", "GET", "/v4/" + id, 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: ` + id + `"`},
	} {
		if w := call(e, c.from, c.method, c.path, ""); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s %s %s: %d %s; want %d %s", c.from, c.method, c.path, w.Code, w.Body, c.code, c.body)
		}
	}
}

// Whatever a task asks, it learns nothing of another, and a VPC nothing of
// another's equal addresses.
func TestSeesOnlyItself(t *testing.T) {
	for _, vpc := range []string{"vpc-1", "vpc-2", "vpc-3"} {
		e := newEndpoint(vpc, tasks, nil, nil)
		e.clock = kept
		for from := range map[string]bool{"10.1.16.5": true, "10.1.16.6": true, "10.1.16.9": true} {
			own := tasks[vpc+" "+from].Task.ID
			for _, task := range []string{taskA, taskB} {
				for _, c := range []string{"-0000000001", "-0000000002", "", "-"} {
					for _, rest := range []string{"", "/task", "/taskWithTags", "/stats", "/task/stats"} {
						for _, version := range []string{"/v3/", "/v4/"} {
							w := call(e, from, "GET", version+task+c+rest, "")
							if w.Code == http.StatusOK && (task != own || len(c) < 2) {
								t.Errorf("%s in %s reads %s: %s", from, vpc, version+task+c+rest, w.Body)
							}
							if task == own && c == "-0000000001" && w.Code != http.StatusOK {
								t.Errorf("%s in %s does not read its own %s: %d", from, vpc, rest, w.Code)
							}
						}
					}
				}
			}
		}
	}
}

func TestRateLimit(t *testing.T) {
	e := testEndpoint(nil)
	now := begin
	e.now = func() time.Time { return now }
	path := "/v4/" + taskA + "-0000000001"
	served := func(from, path string, n int) (ok int) {
		for range n {
			switch w := call(e, from, "GET", path, ""); w.Code {
			case http.StatusOK:
				ok++
			case http.StatusTooManyRequests:
				if w.Body.String() != "You have reached maximum request limit.\n" {
					t.Error(w.Body)
				}
			default:
				t.Error(w.Code)
			}
		}
		return ok
	}
	if n := served("10.1.16.5", path, 100); n != 60 {
		t.Errorf("%d at once, want 60", n)
	}
	now = now.Add(time.Second)
	if n := served("10.1.16.5", path, 100); n != 40 {
		t.Errorf("%d a second later, want 40", n)
	}
	if n := served("10.1.16.5", path+"/task", 1); n != 1 {
		t.Error("another path shares the limit")
	}
	if n := served("10.1.16.6", "/v4/"+taskB+"-0000000001", 1); n != 1 {
		t.Error("another task shares the limit")
	}
}

func TestEnv(t *testing.T) {
	v := sample(taskA, "10.1.16.5")
	got := Env(&v.Task, "x-1")
	want := []string{
		"AWS_EXECUTION_ENV=AWS_ECS_FARGATE", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1",
		"ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/x-1", "ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/x-1",
		"ECS_AGENT_URI=http://169.254.170.2/api/x-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	v.Task.Spec.LaunchType = "EC2"
	if got := Env(&v.Task, "x-1"); got[0] != "AWS_EXECUTION_ENV=AWS_ECS_EC2" {
		t.Error(got[0])
	}
}

// protector remembers what it was asked and answers as told.
type protector struct {
	asked string
	state compute.Protection
	err   error
}

func (p *protector) Protection(_ context.Context, t *compute.Task) (compute.Protection, error) {
	p.asked = "get " + t.ID
	return p.state, p.err
}

func (p *protector) Protect(_ context.Context, t *compute.Task, enabled bool, minutes *int64) (compute.Protection, error) {
	p.asked = fmt.Sprint("put ", t.ID, " ", enabled)
	if minutes != nil {
		p.asked += fmt.Sprint(" ", *minutes)
	}
	return p.state, p.err
}

func TestProtection(t *testing.T) {
	const arn = "arn:aws:ecs:us-east-1:111122223333:task/prod/" + taskA
	invalid := func(message string) string {
		return `{"error":{"Code":"InvalidParameterException","Message":"` + message + `"}}`
	}
	on := compute.Protection{Enabled: true, Until: begin}
	for name, c := range map[string]struct {
		from, method, body string
		state              compute.Protection
		err                error
		asked              string
		code               int
		want               string
	}{
		"read":   {"", "GET", "", on, nil, "get " + taskA, 200, `{"protection":{"ExpirationDate":"2026-09-01T12:00:00.123456789Z","ProtectionEnabled":true,"TaskArn":"` + arn + `"}}`},
		"unset":  {"", "GET", "", compute.Protection{}, nil, "get " + taskA, 200, `{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"` + arn + `"}}`},
		"set":    {"", "PUT", `{"ProtectionEnabled":true}`, on, nil, "put " + taskA + " true", 200, `{"protection":{"ExpirationDate":"2026-09-01T12:00:00.123456789Z","ProtectionEnabled":true,"TaskArn":"` + arn + `"}}`},
		"timed":  {"", "PUT", `{"ProtectionEnabled":true,"ExpiresInMinutes":60}`, on, nil, "put " + taskA + " true 60", 200, `{"protection":{"ExpirationDate":"2026-09-01T12:00:00.123456789Z","ProtectionEnabled":true,"TaskArn":"` + arn + `"}}`},
		"off":    {"", "PUT", `{"ProtectionEnabled":false}`, compute.Protection{}, nil, "put " + taskA + " false", 200, `{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"` + arn + `"}}`},
		"empty":  {"", "PUT", `{}`, on, nil, "", 400, `{"error":{"Arn":"` + arn + `","Code":"InvalidParameterException","Message":"Invalid request: does not contain 'ProtectionEnabled' field"}}`},
		"broken": {"", "PUT", `{`, on, nil, "", 400, invalid("UpdateTaskProtection: failed to decode request")},
		"typed":  {"", "PUT", `{"ProtectionEnabled":"yes"}`, on, nil, "", 400, invalid("UpdateTaskProtection: failed to decode request")},
		"extra":  {"", "PUT", `{"ProtectionEnabled":true,"x":1}`, on, nil, "", 400, invalid("UpdateTaskProtection: failed to decode request")},
		"large":  {"", "PUT", `{"x":"` + strings.Repeat("x", maxBody) + `"}`, on, nil, "", 400, invalid("UpdateTaskProtection: failed to decode request")},
		"other":  {"10.1.16.6", "GET", "", on, nil, "", 404, `{"error":{"Code":"ResourceNotFoundException","Message":"Failed to find a task for the request"}}`},
		"alone":  {"", "GET", "", on, &Failure{Reason: "TASK_NOT_VALID"}, "get " + taskA, 200, `{"failure":{"Arn":"` + arn + `","Detail":null,"Reason":"TASK_NOT_VALID"}}`},
		"denied": {"", "GET", "", on, &APIError{"id-1", "AccessDeniedException", "no", 400}, "get " + taskA, 400, `{"requestID":"id-1","error":{"Arn":"` + arn + `","Code":"AccessDeniedException","Message":"no"}}`},
		"odd":    {"", "GET", "", on, &APIError{"", "Odd", "no", 0}, "get " + taskA, 500, `{"error":{"Arn":"` + arn + `","Code":"Odd","Message":"no"}}`},
		"late":   {"", "GET", "", on, context.DeadlineExceeded, "get " + taskA, 504, `{"error":{"Arn":"` + arn + `","Code":"RequestCanceled","Message":"Timed out calling ECS Task Protection API"}}`},
		"failed": {"", "GET", "", on, errors.New("secret"), "get " + taskA, 500, `{"error":{"Arn":"` + arn + `","Code":"ServerException","Message":"Unexpected error occurred"}}`},
	} {
		p := &protector{state: c.state, err: c.err}
		from := c.from
		if from == "" {
			from = "10.1.16.5"
		}
		w := call(testEndpoint(p), from, c.method, "/api/"+taskA+"-0000000001/task-protection/v1/state", c.body)
		if w.Code != c.code || w.Body.String() != c.want || p.asked != c.asked {
			t.Errorf("%s: %d %s, asked %q; want %d %s, %q", name, w.Code, w.Body, p.asked, c.code, c.want, c.asked)
		}
	}

	v := sample(taskA, "10.1.16.5")
	v.Task.Spec.TaskRole = ""
	p := &protector{}
	e := newEndpoint("vpc-1", hostTasks{"vpc-1 10.1.16.5": v}, p, nil)
	for _, method := range []string{"GET", "PUT"} {
		w := call(e, "10.1.16.5", method, "/api/"+taskA+"-0000000001/task-protection/v1/state", `{"ProtectionEnabled":true}`)
		if w.Code != 403 || p.asked != "" || !strings.Contains(w.Body.String(), "no task IAM role credentials available for task") {
			t.Errorf("without a role: %s %d %s, asked %q", method, w.Code, w.Body, p.asked)
		}
	}
}

// Two tasks on loopback addresses, through real sockets.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	local := hostTasks{"vpc-1 127.0.0.2": sample(taskA, "127.0.0.2"), "vpc-1 127.0.0.3": sample(taskB, "127.0.0.3")}
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, Handler("vpc-1", local, nil, nil)) }()
	get := func(from, task string) (int, string) {
		t.Helper()
		c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext}}
		r, err := c.Get("http://" + l.Addr().String() + "/v4/" + task + "-0000000001/task")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	for from, own := range map[string]string{"127.0.0.2": taskA, "127.0.0.3": taskB} {
		for _, task := range []string{taskA, taskB} {
			code, body := get(from, task)
			if (code == 200) != (task == own) {
				t.Errorf("%s asks for %s: %d %s", from, task, code, body)
			}
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still serving")
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the socket is still open")
	}

	broken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken.Close()
	if err := Serve(t.Context(), broken, http.NotFoundHandler()); err == nil {
		t.Error("no error of a broken socket")
	}
}
