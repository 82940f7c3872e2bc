package container

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"neargate/node/sandbox"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
)

var update = flag.Bool("update", false, "write the golden files")

// image is one whose users are root and app.
func image(config ocispec.ImageConfig) Image {
	return Image{Layers: []string{"/layers/b", "/layers/a"}, Config: config, User: func(spec string) (sandbox.User, error) {
		switch spec {
		case "", "root", "0":
			return sandbox.User{}, nil
		case "app", "app:staff":
			return sandbox.User{UID: 1000, GID: 50, Additional: []uint32{7}}, nil
		}
		return sandbox.User{}, fmt.Errorf("unable to find user %s: no matching entries in passwd file", spec)
	}}
}

// task is one of a definition, in a VPC with DNS host names.
func task(def *taskdef.Definition, over *taskdef.Override) *compute.Task {
	def.Cpu, def.Memory = new("256"), new("512")
	t := launch.Task(launch.Order{
		Definition: def, Account: "1", Region: "us-east-1", Cluster: "c", ID: "0123456789abcdef0123456789abcdef",
		ContainerIDs: make([]string, len(def.ContainerDefinitions)), LaunchType: compute.Fargate, Overrides: over,
		Network: &compute.Network{Subnets: []string{"subnet-1"}},
	})
	t.Attachment.PrivateIP, t.Attachment.PrivateDNS = "10.0.0.5", "ip-10-0-0-5.ec2.internal"
	return &t
}

func only(c taskdef.Container) *taskdef.Definition {
	c.Name, c.Image, c.Essential = "app", "busybox", true
	return &taskdef.Definition{ContainerDefinitions: []taskdef.Container{c}}
}

var busybox = ocispec.ImageConfig{Cmd: []string{"sh"}, Env: []string{"PATH=/bin"}}

// build is the container of a definition that has one.
func build(t *testing.T, c taskdef.Container, config ocispec.ImageConfig, over *taskdef.ContainerOverride) (sandbox.Container, error) {
	t.Helper()
	def := only(c)
	var o *taskdef.Override
	if over != nil {
		over.Name = new("app")
		o = &taskdef.Override{ContainerOverrides: []taskdef.ContainerOverride{*over}}
	}
	return Container(task(def, o), def, "app", map[string]Image{"app": image(config)}, Variables{Agent: []string{"AWS_REGION=us-east-1"}})
}

// golden compares v, printed without what is empty, with a file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	var fields map[string]any
	err = errors.Join(err, json.Unmarshal(b, &fields))
	got, e := json.MarshalIndent(filled(fields), "", "  ")
	err = errors.Join(err, e)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, got, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != string(got) {
		t.Errorf("%s is\n%s\nwant\n%s %v", name, got, want, err)
	}
}

// filled is v without members that are empty.
func filled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x = filled(x); x == nil || x == false || x == "" || x == 0.0 {
				delete(v, k)
			} else {
				v[k] = x
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = filled(v[i])
		}
	}
	return v
}

// full is a definition with every member that Fargate has.
func full() *taskdef.Definition {
	return &taskdef.Definition{
		PidMode: new("task"), EphemeralStorage: &taskdef.EphemeralStorage{SizeInGiB: 21},
		Volumes: []taskdef.Volume{{Name: "data"}, {Name: "logs"}},
		ContainerDefinitions: []taskdef.Container{
			{
				Name: "web", Image: "nginx:1", Essential: true, Cpu: 128, Memory: new(int32(256)), MemoryReservation: new(int32(128)),
				EntryPoint: []string{"/entry"}, Command: []string{"a", "b c"}, WorkingDirectory: new("/srv/"), User: new("app:staff"),
				Environment: []taskdef.Variable{{Name: "A", Value: new("1")}, {Name: "PATH", Value: new("/opt/bin")}, {Name: "NONE"}},
				MountPoints: []taskdef.MountPoint{
					{SourceVolume: "data", ContainerPath: "/srv/data/", ReadOnly: new(true)}, {SourceVolume: "logs", ContainerPath: "/var/log"},
				},
				ReadonlyRootFilesystem: new(true), PseudoTerminal: new(true), Interactive: new(true),
				Ulimits: []taskdef.Ulimit{{Name: "nofile", SoftLimit: 1024, HardLimit: 4096}, {Name: "core", SoftLimit: -1, HardLimit: -1}},
				LinuxParameters: &taskdef.LinuxParameters{InitProcessEnabled: new(true),
					Capabilities: &taskdef.Capabilities{Add: []string{"SYS_PTRACE"}, Drop: []string{"ALL", "CAP_CHOWN"}}},
				SystemControls: []taskdef.SystemControl{{Namespace: new("net.core.somaxconn"), Value: new("1024")}},
			},
			{
				Name: "side", Image: "busybox", MemoryReservation: new(int32(64)),
				VolumesFrom: []taskdef.VolumeFrom{{SourceContainer: "web", ReadOnly: new(true)}},
				MountPoints: []taskdef.MountPoint{{SourceVolume: "logs", ContainerPath: "/srv"}},
			},
		},
	}
}

func TestFull(t *testing.T) {
	def := full()
	tk := task(def, &taskdef.Override{ContainerOverrides: []taskdef.ContainerOverride{
		{Name: new("side"), Command: []string{"sleep", "1"}, Environment: []taskdef.Variable{{Name: "X", Value: new("y")}},
			Cpu: new(int32(64)), Memory: new(int32(100))},
	}})
	golden(t, "spec", Spec(tk, def, Net{NetNS: "/run/ns", Resolvers: []string{"10.0.0.2"}, Search: []string{"ec2.internal"}}))
	images := map[string]Image{
		"web": image(ocispec.ImageConfig{
			User: "root", Env: []string{"PATH=/bin", "B=2"}, Entrypoint: []string{"no"}, Cmd: []string{"no"}, WorkingDir: "/no",
			Volumes: map[string]struct{}{"/var/log": {}, "/cache": {}},
		}),
		"side": image(ocispec.ImageConfig{User: "app", Entrypoint: []string{"run", "--"}, Cmd: []string{"no"}, WorkingDir: "/home"}),
	}
	for _, name := range []string{"web", "side"} {
		c, err := Container(tk, def, name, images, Variables{Agent: []string{"AWS_REGION=us-east-1", "A=ecs"}})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, c)
	}
}

func TestSpec(t *testing.T) {
	def := only(taskdef.Container{})
	tk := task(def, nil)
	tk.Attachment.PrivateDNS = ""
	s := Spec(tk, def, Net{})
	if len(s.Hostname) != 12 || s.Hostname == Hostname(&compute.Task{ID: "other"}) {
		t.Errorf("host name %q", s.Hostname)
	}
	if s.Disk != 20<<10 || s.CPU != 256 || s.Memory != 512 || s.Processes != 4096 || s.SharePID {
		t.Errorf("%+v", s)
	}
	if s.Files["/etc/hosts"] != "127.0.0.1 localhost\n10.0.0.5 "+s.Hostname+"\n" || s.Files["/etc/resolv.conf"] != "" {
		t.Errorf("files %q", s.Files)
	}
	for mib, want := range map[int]int{0: 0, 64: 1024, 1024: 8192, 249856: 32768} {
		tk.Spec.Memory = mib
		if got := Spec(tk, def, Net{}).Processes; got != want {
			t.Errorf("%d MiB: %d processes, want %d", mib, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	l := func(s ...string) []string { return s }
	for _, c := range []struct {
		imageEntry, imageCmd, entry, command, override []string
		want                                           string
	}{
		{nil, l("c"), nil, nil, nil, "c"},
		{l("e"), l("c"), nil, nil, nil, "e c"},
		{l("e"), l("c"), nil, l("d"), nil, "e d"},
		{l("e"), l("c"), nil, l("d"), l("o", "p"), "e o p"},
		{l("e"), l("c"), l("f"), nil, nil, "f"},
		{l("e"), l("c"), l("f"), l("d"), nil, "f d"},
		{l("e"), l("c"), l("f"), nil, l("o"), "f o"},
		{l("e"), l("c"), l(), l(), l(), "e c"},
		{l("e"), l("c"), l(""), l("d"), nil, "d"},
		{l("e"), l("c"), l(""), nil, nil, "error"},
		{nil, nil, nil, nil, nil, "error"},
		{l("e"), nil, nil, nil, nil, "e"},
	} {
		got, err := build(t, taskdef.Container{EntryPoint: c.entry, Command: c.command},
			ocispec.ImageConfig{Entrypoint: c.imageEntry, Cmd: c.imageCmd}, &taskdef.ContainerOverride{Command: c.override})
		line := strings.Join(got.Args, " ")
		if err != nil {
			line = "error"
		}
		if line != c.want {
			t.Errorf("%q: %q %v", c, line, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	v := func(name, value string) taskdef.Variable { return taskdef.Variable{Name: name, Value: &value} }
	c, err := build(t, taskdef.Container{Environment: []taskdef.Variable{v("A", "def"), v("B", "def"), {Name: "EMPTY"}, v("AWS_REGION", "mine"), v("A", "twice")}},
		ocispec.ImageConfig{Cmd: []string{"x"}, Env: []string{"PATH=/p", "A=image", "WITH=a=b"}},
		&taskdef.ContainerOverride{Environment: []taskdef.Variable{v("B", "over"), v("C", "over"), v("HOSTNAME", "h")}})
	want := []string{"HOSTNAME=h", "PATH=/p", "A=twice", "WITH=a=b", "B=over", "EMPTY=", "AWS_REGION=us-east-1", "C=over"}
	if err != nil || !slices.Equal(c.Env, want) {
		t.Errorf("%q, %v", c.Env, err)
	}
	// Files come before the definition's variables, secrets after them, before the task's.
	got := environment("h", []string{"A=image", "B=image", "F=image"}, []taskdef.Variable{v("C", "def"), v("F", "def")}, []taskdef.Variable{v("D", "over")},
		Variables{Files: []string{"F=file", "G=file"}, Secrets: []string{"A=secret", "C=secret=1", "D=secret"}, Agent: []string{"E=ecs"}, Default: []string{"A=default", "H=default"}})
	if want := []string{"HOSTNAME=h", "A=secret", "H=default", "B=image", "F=def", "G=file", "C=secret=1", "D=over", "E=ecs"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMounts(t *testing.T) {
	volumes := func(paths ...string) ocispec.ImageConfig {
		c := busybox
		c.Volumes = map[string]struct{}{}
		for _, p := range paths {
			c.Volumes[p] = struct{}{}
		}
		return c
	}
	point := func(volume, at string) taskdef.MountPoint {
		return taskdef.MountPoint{SourceVolume: volume, ContainerPath: at}
	}
	from := func(names ...string) (out []taskdef.VolumeFrom) {
		for _, n := range names {
			out = append(out, taskdef.VolumeFrom{SourceContainer: n})
		}
		return out
	}
	for name, c := range map[string]struct {
		app, b, c      taskdef.Container
		appI, bI, want string // volumes of the images; the mounts
	}{
		"none":                  {},
		"bind":                  {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d")}}, want: "v:/d"},
		"content of VOLUME":     {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d/")}}, appI: "/d", want: "v:/d:copy"},
		"content of other path": {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d/e")}}, appI: "/d", want: "app.0:/d:copy v:/d/e"},
		"anonymous":             {appI: "/b,/a", want: "app.0:/a:copy app.1:/b:copy"},
		"outer first":           {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/a/b/c"), point("w", "/a"), point("x", "/z/y")}}, want: "w:/a x:/z/y v:/a/b/c"},
		"from":                  {app: taskdef.Container{VolumesFrom: from("b")}, b: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d")}}, bI: "/d,/e", want: "v:/d b.1:/e"},
		"from, own wins":        {app: taskdef.Container{VolumesFrom: from("b"), MountPoints: []taskdef.MountPoint{point("w", "/d")}}, b: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d")}}, want: "w:/d"},
		"from, then image":      {app: taskdef.Container{VolumesFrom: from("b")}, b: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d")}}, appI: "/d", want: "v:/d"},
		"from of from":          {app: taskdef.Container{VolumesFrom: from("b")}, b: taskdef.Container{VolumesFrom: from("c")}, c: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d")}}, want: "v:/d"},
		"circle":                {app: taskdef.Container{VolumesFrom: from("b"), MountPoints: []taskdef.MountPoint{point("v", "/a")}}, b: taskdef.Container{VolumesFrom: from("app"), MountPoints: []taskdef.MountPoint{point("v", "/b")}}, want: "v:/a v:/b"},
		"relative":              {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "d")}}, want: `CannotCreateContainerError: invalid mount config for type "bind": invalid mount path: 'd' mount path must be absolute`},
		"root":                  {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/x/..")}}, want: `CannotCreateContainerError: invalid mount config for type "bind": invalid specification: destination can't be '/'`},
		"twice":                 {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point("v", "/d"), point("w", "/d/")}}, want: "CannotCreateContainerError: Duplicate mount point: /d"},
		"long name":             {app: taskdef.Container{MountPoints: []taskdef.MountPoint{point(strings.Repeat("v", 255), "/d")}}, want: ""},
	} {
		c.app.Name, c.b.Name, c.c.Name = "app", "b", "c"
		def := &taskdef.Definition{ContainerDefinitions: []taskdef.Container{c.app, c.b, c.c}}
		split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
		images := map[string]Image{"app": image(volumes(split(c.appI)...)), "b": image(volumes(split(c.bI)...)), "c": image(busybox)}
		got, err := Container(task(def, nil), def, "app", images, Variables{})
		var said []string
		for _, m := range got.Mounts {
			word := m.Volume + ":" + m.Target
			if m.Copy {
				word += ":copy"
			}
			said = append(said, word)
		}
		line := strings.Join(said, " ")
		if err != nil {
			line = named(t, err)
		}
		if name == "long name" {
			if vol, _, _ := strings.Cut(line, ":"); len(vol) > 100 || !strings.HasPrefix(vol, "long.") {
				t.Errorf("%s: %q", name, line)
			}
		} else if line != c.want {
			t.Errorf("%s: %q, want %q", name, line, c.want)
		}
	}
}

// named is an error as ECS shows it.
func named(t *testing.T, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v", err, err)
	}
	return e.ECSName() + ": " + e.Error()
}

func TestRefused(t *testing.T) {
	for want, c := range map[string]struct {
		c      taskdef.Container
		config ocispec.ImageConfig
	}{
		"CannotStartContainerError: ResourceInitializationError: unable to create new container: no command specified": {config: ocispec.ImageConfig{}},
		"CannotStartContainerError: ResourceInitializationError: unable to create new container: unable to find user nobody: no matching entries in passwd file": {
			taskdef.Container{User: new("nobody")}, busybox},
		"CannotStartContainerError: ResourceInitializationError: unable to create new container: the working directory 'srv' is invalid, it needs to be an absolute path": {
			taskdef.Container{WorkingDirectory: new("srv")}, busybox},
		`CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: sysctl "kernel.panic" is not in a separate kernel namespace: unknown`: {
			taskdef.Container{SystemControls: []taskdef.SystemControl{{Namespace: new("kernel.panic"), Value: new("1")}}}, busybox},
		"CannotCreateContainerError: No such container: gone": {
			taskdef.Container{VolumesFrom: []taskdef.VolumeFrom{{SourceContainer: "gone"}}}, busybox},
	} {
		if _, err := build(t, c.c, c.config, nil); err == nil || named(t, err) != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	def := only(taskdef.Container{})
	tk := task(def, nil)
	if _, err := Container(tk, def, "other", nil, Variables{}); err == nil {
		t.Error("a container that does not exist")
	}
	tk.Spec.Overrides = []byte("{")
	if _, err := Container(tk, def, "app", map[string]Image{"app": image(busybox)}, Variables{}); err == nil {
		t.Error("torn overrides")
	}
}

func TestUserAndDirectory(t *testing.T) {
	for _, c := range []struct {
		user, dir           *string
		imageUser, imageDir string
		uid                 uint32
		cwd                 string
	}{
		{nil, nil, "", "", 0, "/"},
		{nil, nil, "app", "srv", 1000, "/srv"},
		{new("root"), new("/x/../y/"), "app", "/srv", 0, "/y"},
		{new(""), new(""), "app", "/srv", 1000, "/srv"},
	} {
		got, err := build(t, taskdef.Container{User: c.user, WorkingDirectory: c.dir},
			ocispec.ImageConfig{Cmd: []string{"x"}, User: c.imageUser, WorkingDir: c.imageDir}, nil)
		if err != nil || got.User.UID != c.uid || got.Cwd != c.cwd {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
}

func TestStopSignal(t *testing.T) {
	for s, want := range map[string]syscall.Signal{
		"": 15, "SIGTERM": 15, "TERM": 15, "sigquit": 3, "9": 9, "SIGUSR1": 10, " INT ": 2, "WINCH": 28, "SIGWINCH": 28,
		"SIGRTMIN": 34, "RTMIN+3": 37, "SIGRTMIN+3": 37, "SIGRTMAX": 64, "SIGRTMAX-1": 63, "37": 37,
		"SIGRTMIN+31": 15, "SIGRTMAX-31": 15, "SIGRTMIN+x": 15, "0": 15, "-1": 15, "65": 15, "NONSENSE": 15, "RTMIN+-1": 15,
	} {
		if got := StopSignal(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func TestHealthCommand(t *testing.T) {
	for in, want := range map[string]string{
		"CMD,curl,-f,x": "curl|-f|x", "CMD-SHELL,exit 1": "/bin/sh|-c|exit 1", "CMD-SHELL,a,b": "/bin/sh|-c|a|b",
		"NONE": "", "curl,x": "curl|x", "": "",
	} {
		var command []string
		if in != "" {
			command = strings.Split(in, ",")
		}
		if got := strings.Join(HealthCommand(&taskdef.HealthCheck{Command: command}), "|"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if HealthCommand(nil) != nil {
		t.Error("a command without a check")
	}
}

func TestFailure(t *testing.T) {
	const prefix = "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
	for _, c := range []struct{ program, said, want string }{
		// As gVisor and runc said it.
		{"nope", `starting sub-container [nope]: error finding executable "nope" in PATH [/usr/bin /bin]: no such file or directory`, `exec: "nope": executable file not found in $PATH`},
		{"nope", `create failed: unable to start container process: error during container init: exec: "nope": executable file not found in $PATH (exit status 1)`, `exec: "nope": executable file not found in $PATH`},
		{"noexec", `starting sub-container [noexec]: error finding executable "noexec" in PATH [/usr/bin /bin]: permission denied`, `exec: "noexec": executable file not found in $PATH`},
		{"/nope", `starting sub-container [/nope]: creating process: failed to load /nope: no such file or directory`, `exec: "/nope": stat /nope: no such file or directory`},
		{"/nope", `create failed: unable to start container process: error during container init: exec: "/nope": stat /nope: no such file or directory (exit status 1)`, `exec: "/nope": stat /nope: no such file or directory`},
		{"./bin/x", `starting sub-container [./bin/x]: creating process: failed to load /bin/x: no such file or directory`, `exec: "./bin/x": stat ./bin/x: no such file or directory`},
		{"/bin/noexec", `starting sub-container [/bin/noexec]: creating process: failed to load /bin/noexec: permission denied`, `exec: "/bin/noexec": permission denied`},
		{"/bin", `create failed: unable to start container process: error during container init: exec: "/bin": is a directory (exit status 1)`, `exec: "/bin": is a directory`},
		{"text", `starting sub-container [text]: creating process: failed to load /bin/text: exec format error`, `exec text: exec format error`},
		{"sh", `create failed: sysctl "net.core.nosuch" not allowed in host network namespace (exit status 1)`, `sysctl "net.core.nosuch" not allowed in host network namespace`},
		{"sh", "something\n  else", "something else"},
		{"", "no space left on device", "no space left on device"},
	} {
		var args []string
		if c.program != "" {
			args = []string{c.program, "arg"}
		}
		if got := named(t, Failure(sandbox.Container{Args: args}, errors.New(c.said))); got != prefix+c.want+": unknown" {
			t.Errorf("%q: %q", c.said, got)
		}
	}
	if e := cannotCreate("x"); Failure(sandbox.Container{}, fmt.Errorf("creating: %w", e)) != e {
		t.Error("an error of this package was worded anew")
	}
	if got := Failure(sandbox.Container{}, errors.New(strings.Repeat("x", 9000))).Error(); len(got) > 1000 {
		t.Errorf("%d bytes", len(got))
	}
}

// elsewhere are the members of a container definition that do not change what runs
// in the sandbox, and where they are done or refused. Those that Fargate has not are
// refused at registration.
var elsewhere = map[string]string{
	"Essential": "node/task", "DependsOn": "node/task", "StartTimeout": "node/task", "StopTimeout": "node/task",
	"RestartPolicy": "node/task", "HealthCheck": "node/task, HealthCommand", "LogConfiguration": "node/logdriver",
	"DockerLabels": "node/metadata", "PortMappings": "a container's ports are its task's; security groups guard them",
	"Image": "node/image", "Name": "the container's identity", "MemoryReservation": "a hint to the scheduler",
	"CredentialSpecs": "refused", "DisableNetworking": "refused", "DnsSearchDomains": "refused", "DnsServers": "refused",
	"DockerSecurityOptions": "refused", "EnvironmentFiles": "refused", "ExtraHosts": "refused", "FirelensConfiguration": "refused",
	"Hostname": "refused", "Links": "refused", "Privileged": "refused",
	"RepositoryCredentials": "refused", "ResourceRequirements": "refused", "Secrets": "refused", "VersionConsistency": "refused",
}

// TestEveryMemberIsDone leaves out each member of a full definition in turn: what
// runs must differ, or the member is done elsewhere.
func TestEveryMemberIsDone(t *testing.T) {
	images := map[string]Image{"web": image(busybox), "side": image(busybox)}
	show := func(def *taskdef.Definition, name string) string {
		c, err := Container(task(def, nil), def, name, images, Variables{})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(c)
		return string(b)
	}
	typ := reflect.TypeFor[taskdef.Container]()
	for i := range typ.NumField() {
		member := typ.Field(i).Name
		changes := false
		for k := range 2 {
			def := full()
			name := def.ContainerDefinitions[k].Name
			before := show(def, name)
			if elsewhere[member] == "" {
				reflect.ValueOf(&def.ContainerDefinitions[k]).Elem().Field(i).SetZero()
			}
			changes = changes || show(def, name) != before
		}
		if changes == (elsewhere[member] != "") {
			t.Errorf("%s changes what runs: %v; elsewhere: %q", member, changes, elsewhere[member])
		}
	}
}
