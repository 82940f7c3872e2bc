package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"neargate/arn"
	"neargate/internal/doctor"
	"neargate/internal/install"
	"neargate/internal/profile"
)

// defaultAddress is where the front door listens unless told otherwise.
const defaultAddress = "127.0.0.1:4566"

// defaultDataDir is the installation meant when none is named; NEARGATE_DATA_DIR
// overrides it.
func defaultDataDir() string {
	if dir := os.Getenv("NEARGATE_DATA_DIR"); dir != "" {
		return dir
	}
	return string(install.Default())
}

// startTimeout bounds how long a daemon may take to answer, and to end.
const startTimeout = 60 * time.Second

func up(ctx context.Context, std stdio, args []string) error {
	var o options
	fs, dir := flags(std, "up")
	fs.StringVar(&o.listen, "listen", defaultAddress, "`ADDR:PORT` of the front door")
	fs.StringVar(&o.profile, "profile", "", "AWS profile `NAME` to keep pointing here (default \"neargate\" for the default data directory)")
	fs.BoolVar(&o.noAuth, "no-auth", false, "accept any credentials and unsigned calls (loopback addresses only)")
	fs.BoolVar(&o.noThrottle, "no-throttle", false, "lift AWS's API and launch rate limits")
	fs.StringVar(&o.limitsFile, "limits", "", "`FILE` with other rate limits than AWS's (docs/limits.md)")
	fs.StringVar(&o.host.runtime, "runtime", runtimeGVisor, "what tasks run in: gvisor, runc, or fake, which runs nothing")
	fs.IntVar(&o.host.warm, "warm", 2, "sandboxes to keep ready for tasks to come, each some 20 MB; gVisor only")
	fs.StringVar(&o.host.registries, "registries", "", "`FILE` with mirrors of registries (docs/images.md)")
	fs.StringVar(&o.host.uplinks, "uplink", "auto", "`DEVICES` to the internet, separated by commas; auto: those of the default routes; none: tasks reach no further than this host")
	fs.StringVar(&o.host.pool, "public-pool", "", "`CIDR` in 198.18.0.0/15 that public addresses come from (default a free /20)")
	fs.IntVar(&o.host.cpu, "cpu", 0, "CPU `UNITS`, 1024 a vCPU, that tasks may ask for in all (default 16 vCPUs for each CPU)")
	fs.IntVar(&o.host.memory, "memory", 0, "`MIB` that tasks may ask for in all (default the machine's)")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&o.logFormat, "log-format", "text", "text or json")
	detach := fs.Bool("d", false, "run in the background")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	o.dir = install.Dir(*dir)
	if o.profile == "" && *dir == string(install.Default()) {
		o.profile = "neargate"
	}
	if *detach {
		return background(ctx, std, o, args)
	}
	return serve(ctx, std, o)
}

// background starts the daemon in a session of its own and returns when it
// answers, or with what it said when it could not start.
func background(ctx context.Context, std stdio, o options, args []string) error {
	if run, err := o.dir.Running(); err == nil {
		return fmt.Errorf("already running as process %d on %s", run.PID, run.URL())
	}
	if err := o.examine(); err != nil {
		return err
	}
	if err := o.dir.Make(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(o.dir.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	at, err := log.Seek(0, 2)
	if err != nil {
		return err
	}
	child := exec.Command(self, append([]string{"up"}, without(args, "-d", "--d")...)...)
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	deadline := time.After(startTimeout)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if run, err := o.dir.Running(); err == nil && run.PID == child.Process.Pid {
				fmt.Fprintf(std.out, "neargate answers on %s (process %d, log %s)\n", run.URL(), run.PID, o.dir.Log())
				return nil
			}
		case <-exited:
			said, _ := os.ReadFile(o.dir.Log())
			return fmt.Errorf("the daemon ended at once:\n%s", strings.TrimSpace(string(said[min(int(at), len(said)):])))
		case <-deadline:
			return fmt.Errorf("the daemon does not answer after %v; see %s", startTimeout, o.dir.Log())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func without(args []string, drop ...string) []string {
	var out []string
next:
	for _, a := range args {
		for _, d := range drop {
			if a == d || a == d+"=true" {
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

func down(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "down")
	keep := fs.Bool("keep-tasks", false, "end only the daemon; tasks go on, and the next start takes them over")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	d := install.Dir(*dir)
	run, err := d.Running()
	switch {
	case err == nil:
		err = end(ctx, d, run)
	case errors.Is(err, install.ErrNotRunning):
		fmt.Fprintln(std.out, "neargate is not running")
		err = nil
	}
	if err != nil || *keep {
		return err
	}
	if err := dismantle(ctx, std, d); err != nil {
		return err
	}
	if run.PID != 0 {
		fmt.Fprintln(std.out, "neargate has stopped")
	}
	return nil
}

// dismantle removes what an installation without a daemon has on the machine, also
// when its data directory is gone.
func dismantle(ctx context.Context, std stdio, d install.Dir) error {
	release, err := d.Lock()
	switch {
	case err == nil:
		defer release()
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	any, err := retire(ctx, d)
	if any && err == nil {
		fmt.Fprintln(std.out, "tasks and their networks are removed")
	}
	return err
}

// end ends a daemon and waits until it has.
func end(ctx context.Context, d install.Dir, run install.Run) error {
	if err := syscall.Kill(run.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("process %d: %w", run.PID, err)
	}
	deadline := time.After(startTimeout)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			release, err := d.Lock()
			if err == nil {
				release()
				return nil
			}
		case <-deadline:
			return fmt.Errorf("process %d has not ended after %v", run.PID, startTimeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func env(_ context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "env")
	region := fs.String("region", arn.DefaultRegion, "`REGION` to use")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if !arn.KnownRegion(*region) {
		return fmt.Errorf("%q is no AWS region", *region)
	}
	d := install.Dir(*dir)
	run, err := d.Running()
	if err != nil {
		return err
	}
	root, err := d.Root()
	if err != nil {
		return err
	}
	for _, v := range [][2]string{
		{"AWS_ENDPOINT_URL", run.URL()}, {"AWS_ACCESS_KEY_ID", root.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", root.Secret}, {"AWS_DEFAULT_REGION", *region}, {"AWS_REGION", *region},
		// No name leads to "streaming-" and an address.
		{"AWS_DISABLE_HOST_PREFIX_INJECTION", "true"},
	} {
		fmt.Fprintf(std.out, "export %s=%s\n", v[0], v[1])
	}
	fmt.Fprintln(std.out, "unset AWS_SESSION_TOKEN AWS_PROFILE")
	return nil
}

// saveProfile points the AWS profile at the installation.
func saveProfile(name string, run install.Run, root install.Credentials) error {
	files, err := profile.Locate(os.Getenv)
	if err != nil {
		return err
	}
	return files.Save(name,
		[]profile.Setting{
			{Name: "region", Value: arn.DefaultRegion}, {Name: "endpoint_url", Value: run.URL()},
			{Name: "disable_host_prefix_injection", Value: "true"},
		},
		[]profile.Setting{{Name: "aws_access_key_id", Value: root.AccessKeyID}, {Name: "aws_secret_access_key", Value: root.Secret}})
}

func doctorCommand(_ context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "doctor")
	listen := fs.String("listen", defaultAddress, "`ADDR:PORT` the front door is to listen on")
	kind := fs.String("runtime", runtimeGVisor, "what tasks are to run in: gvisor, runc or fake")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := knownRuntime(*kind); err != nil {
		return err
	}
	run, err := install.Dir(*dir).Running()
	serving := err == nil && run.Address == *listen
	if !doctor.Write(std.out, doctor.Examine(doctor.Here(*dir, *listen, *kind, serving))) {
		return errors.New("this host lacks something neargate needs")
	}
	return nil
}

// examine fails, in the doctor's words, when this host lacks what every task needs.
func (o options) examine() error {
	if err := knownRuntime(o.host.runtime); err != nil || o.host.runtime == runtimeFake {
		return err
	}
	failed := slices.DeleteFunc(doctor.Examine(doctor.Here(string(o.dir), o.listen, o.host.runtime, true)), func(f doctor.Finding) bool {
		return f.Grade != doctor.Fail
	})
	if len(failed) == 0 {
		return nil
	}
	var what strings.Builder
	doctor.Write(&what, failed)
	return fmt.Errorf("this host lacks something tasks need (--runtime fake runs none, and needs nothing):\n%s", what.String())
}

func printVersion(_ context.Context, std stdio, _ []string) error {
	fmt.Fprintln(std.out, "neargate", version())
	return nil
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
