package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"neargate/e2e/images"
	"neargate/internal/netns"
)

// way leads from one program to another.
type way struct {
	name    string
	measure func(ctx context.Context, kind string, n int) (float64, error)
}

// paths measures ways between two tasks beside those between processes on a veth pair and
// on a bridge, and between two sandboxes of the runtime on a veth pair, in turns, and
// prints medians and their ratios to the veth pair's.
func (b *bench) paths(ctx context.Context, bin, runtime, dir string, n int) (err error) {
	w, err := newWires(bin, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.clear()) }()
	ways, err := w.ways(ctx, runtime)
	if err != nil {
		return err
	}
	own, err := b.tasks(ctx)
	if err != nil {
		return err
	}
	ways = append(ways, way{runtime + ", tasks", own})
	for _, f := range [...]struct {
		kind, unit string
		n          int // how much of it at a time
	}{{"round-trip", "µs", 500}, {"connections", "/s", 100}, {"throughput", "MB/s", 64}} {
		all := make([][]float64, len(ways))
		for range n {
			for i, w := range ways {
				x, err := w.measure(ctx, f.kind, f.n)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.kind, w.name, err)
				}
				all[i] = append(all[i], x)
			}
		}
		var first float64
		for i, w := range ways {
			slices.Sort(all[i])
			m := all[i][len(all[i])/2]
			if i == 0 {
				first = m
			}
			fmt.Printf("%-12s %-24s %9.0f %-5s %6.2f x %s\n", f.kind, w.name, m, f.unit, m/first, ways[0].name)
		}
	}
	return nil
}

// tasks starts two tasks, and returns what measures the way from one to the other.
func (b *bench) tasks(ctx context.Context) (func(ctx context.Context, kind string, n int) (float64, error), error) {
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	var addresses [2]*ec2types.NetworkInterface
	for i, family := range []string{"answer", "serve"} {
		arn, err := b.start(ctx, family)
		if err != nil {
			return nil, err
		}
		if addresses[i], err = b.address(ctx, arn); err != nil {
			return nil, err
		}
	}
	to, from := *addresses[0].PrivateIpAddress, *addresses[1].Association.PublicIp
	return func(ctx context.Context, kind string, n int) (float64, error) {
		command, err := json.Marshal([]string{"measure", kind, to + ":90", strconv.Itoa(n)})
		if err != nil {
			return 0, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+from+"/do", bytes.NewReader(command))
		if err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if err != nil {
			return 0, err
		}
		return figure(said)
	}, nil
}

func figure(said []byte) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(string(said)), 64)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return x, err
}

// open lets everybody reach the tasks.
func (b *bench) open(ctx context.Context) error {
	groups, err := b.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})
	if err != nil || len(groups.SecurityGroups) != 1 {
		return fmt.Errorf("%+v: %w", groups, err)
	}
	_, err = b.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: groups.SecurityGroups[0].GroupId,
		IpPermissions: []ec2types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
	return err
}

// address is the interface of a task, with its addresses.
func (b *bench) address(ctx context.Context, task string) (*ec2types.NetworkInterface, error) {
	out, err := b.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{task}})
	if err != nil {
		return nil, err
	}
	for _, d := range out.Tasks[0].Attachments[0].Details {
		if *d.Name != "networkInterfaceId" {
			continue
		}
		i, err := b.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*d.Value}})
		if err != nil {
			return nil, err
		}
		return &i.NetworkInterfaces[0], nil
	}
	return nil, errors.New("the task has no interface")
}

// wires are ways without neargate.
type wires struct {
	guest, runsc, dir string
	undo              []func() error
}

func newWires(bin, dir string) (*wires, error) {
	e2e, err := images.Root()
	if err != nil {
		return nil, err
	}
	program, err := images.Program(e2e, "./guest", goruntime.GOARCH)
	if err != nil {
		return nil, err
	}
	w := &wires{guest: filepath.Join(dir, "root", "guest"), runsc: filepath.Join(bin, "runsc"), dir: dir}
	if err := os.MkdirAll(filepath.Dir(w.guest), 0o755); err != nil {
		return nil, err
	}
	return w, os.WriteFile(w.guest, program, 0o755)
}

// clear undoes everything, the last first.
func (w *wires) clear() (err error) {
	for _, undo := range slices.Backward(w.undo) {
		err = errors.Join(err, undo())
	}
	return err
}

// ways are a veth pair and a bridge between processes, and a veth pair between sandboxes
// of a runtime that has a network of its own.
func (w *wires) ways(ctx context.Context, runtime string) ([]way, error) {
	pair, err := w.pair("10.251.0.1/24", "10.251.0.2/24")
	if err != nil {
		return nil, err
	}
	bridge, err := w.bridge("10.251.1.1/24", "10.251.1.2/24")
	if err != nil {
		return nil, err
	}
	ways := []way{
		{"veth", w.processes(ctx, pair, "10.251.0.2:90")},
		{"bridge", w.processes(ctx, bridge, "10.251.1.2:90")},
	}
	if runtime == "gvisor" {
		spaces, err := w.pair("10.251.2.1/24", "10.251.2.2/24")
		if err != nil {
			return nil, err
		}
		measure, err := w.sandboxes(ctx, spaces, "10.251.2.2:90")
		if err != nil {
			return nil, err
		}
		ways = append(ways, way{"gvisor, veth", measure})
	}
	return ways, nil
}

// processes measures from the first namespace to a process that answers in the second.
func (w *wires) processes(ctx context.Context, spaces [2]string, to string) func(context.Context, string, int) (float64, error) {
	server := exec.CommandContext(ctx, w.guest, "answer", to)
	if err := netns.Do(spaces[1], server.Start); err != nil {
		return func(context.Context, string, int) (float64, error) { return 0, err }
	}
	w.undo = append(w.undo, func() error {
		err := server.Process.Kill()
		_ = server.Wait() // which says that it was killed
		return err
	})
	return func(ctx context.Context, kind string, n int) (float64, error) {
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, w.guest, "measure", kind, to, strconv.Itoa(n))
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := netns.Do(spaces[0], cmd.Start); err != nil {
			return 0, err
		}
		if err := cmd.Wait(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, out.Bytes())
		}
		return figure(out.Bytes())
	}
}

// sandboxes measures from a sandbox of gVisor in the first namespace to one in the second.
func (w *wires) sandboxes(ctx context.Context, spaces [2]string, to string) (func(context.Context, string, int) (float64, error), error) {
	state := filepath.Join(w.dir, "state")
	w.undo = append(w.undo, func() error { return unpin(state) })
	flags := []string{"--root", state, "--platform", "systrap", "--host-settings", "ignore"}
	runsc := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, w.runsc, append(flags[:len(flags):len(flags)], args...)...)
		out, err := os.CreateTemp(w.dir, "out") // not a pipe, which a sandbox that goes on would hold open
		if err != nil {
			return nil, err
		}
		defer os.Remove(out.Name())
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
		err = cmd.Run()
		said, e := os.ReadFile(out.Name())
		if err != nil {
			err = fmt.Errorf("runsc %s: %w: %s", args[0], err, said)
		}
		return said, errors.Join(err, e)
	}
	for i, args := range [2][]string{{"/guest", "forever"}, {"/guest", "answer", ":90"}} {
		id := fmt.Sprintf("wire-%d", i)
		dir := filepath.Join(w.dir, id)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		spec, err := json.Marshal(map[string]any{
			"ociVersion": "1.1.0",
			"process":    map[string]any{"args": args, "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
			"root":       map[string]any{"path": filepath.Dir(w.guest), "readonly": true},
			"linux":      map[string]any{"namespaces": []map[string]string{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network", "path": spaces[i]}}},
		})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), spec, 0o600); err != nil {
			return nil, err
		}
		w.undo = append(w.undo, func() error {
			_, err := runsc(context.WithoutCancel(ctx), "delete", "--force", id)
			return err
		})
		if _, err := runsc(ctx, "run", "--detach", "--bundle", dir, id); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, kind string, n int) (float64, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		said, err := runsc(ctx, "exec", "wire-0", "/guest", "measure", kind, to, strconv.Itoa(n))
		if err != nil {
			return 0, err
		}
		return figure(said)
	}, nil
}
