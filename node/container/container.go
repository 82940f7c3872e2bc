package container

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"neargate/node/sandbox"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// Image is what a container needs of its image.
type Image struct {
	Layers []string // as sandbox.Container
	Config ocispec.ImageConfig
	// User looks up a user in the image, in Docker's forms: uid, name, uid:gid,
	// name:group; "" is root.
	User func(spec string) (sandbox.User, error)
}

// Variables are variables, NAME=value, that no definition holds.
type Variables struct {
	Files   []string // from environment files
	Secrets []string // from secrets
	Agent   []string // that ECS sets
	Default []string // where nobody else says anything
}

// EnvironmentFiles are the environment files of a container: the task's, where it has
// any, instead of the definition's.
func EnvironmentFiles(t *compute.Task, d *taskdef.Container) []taskdef.EnvironmentFile {
	over, err := overrideOf(t, d.Name)
	if err == nil && len(over.EnvironmentFiles) > 0 {
		return over.EnvironmentFiles
	}
	return d.EnvironmentFiles
}

// Container is the container of a task with the name. images are those of the
// task's containers by their names; that of the container and of those whose
// volumes it uses must be there. An error is an *Error.
func Container(t *compute.Task, def *taskdef.Definition, name string, images map[string]Image, v Variables) (sandbox.Container, error) {
	d, spec := def.Container(name), specOf(t, name)
	img, ok := images[name]
	if d == nil || spec == nil || !ok {
		return sandbox.Container{}, cannotCreate("task definition or image of container %s is gone", name)
	}
	over, err := overrideOf(t, name)
	if err != nil {
		return sandbox.Container{}, err
	}
	if value(d.PseudoTerminal) {
		v.Default = append([]string{"TERM=xterm"}, v.Default...)
	}
	c := sandbox.Container{
		Name: name, Image: d.Image, Layers: img.Layers,
		Interactive: value(d.Interactive), Terminal: value(d.PseudoTerminal),
		Env:          environment(Hostname(t), img.Config.Env, d.Environment, over.Environment, v),
		ReadonlyRoot: value(d.ReadonlyRootFilesystem),
		Ulimits:      ulimits(d.Ulimits),
		CPUShares:    number(spec.CPU),
		Memory:       number(spec.Memory),
	}
	if l := d.LinuxParameters; l != nil {
		c.Init = value(l.InitProcessEnabled)
		if l.Capabilities != nil {
			c.CapAdd, c.CapDrop = capabilities(l.Capabilities.Add), capabilities(l.Capabilities.Drop)
		}
	}
	if c.Args, err = arguments(d, over, &img.Config); err != nil {
		return c, err
	}
	if c.Cwd, err = directory(d, &img.Config); err != nil {
		return c, err
	}
	if c.User, err = user(d, img); err != nil {
		return c, err
	}
	if c.Sysctls, err = sysctls(d.SystemControls); err != nil {
		return c, err
	}
	c.Mounts, err = mounts(def, d, images)
	return c, err
}

func specOf(t *compute.Task, name string) *compute.ContainerSpec {
	for i := range t.Spec.Containers {
		if t.Spec.Containers[i].Name == name {
			return &t.Spec.Containers[i]
		}
	}
	return nil
}

// overrideOf is what the task changes of the container.
func overrideOf(t *compute.Task, name string) (taskdef.ContainerOverride, error) {
	if t.Spec.Overrides == nil {
		return taskdef.ContainerOverride{}, nil
	}
	var o taskdef.Override
	if err := json.Unmarshal(t.Spec.Overrides, &o); err != nil {
		return taskdef.ContainerOverride{}, cannotCreate("overrides: %v", err)
	}
	for _, c := range o.ContainerOverrides {
		if value(c.Name) == name {
			return c, nil
		}
	}
	return taskdef.ContainerOverride{}, nil
}

// number reads a figure of a container as DescribeTasks shows it; "" is 0.
func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// arguments is the command line. An entry point of the definition puts the image's
// aside, and its command too; the empty string alone stands for none at all. Source:
// Dockerfile reference, how CMD and ENTRYPOINT interact.
func arguments(d *taskdef.Container, over taskdef.ContainerOverride, img *ocispec.ImageConfig) ([]string, error) {
	entry, command := d.EntryPoint, d.Command
	if len(over.Command) > 0 {
		command = over.Command
	}
	if len(entry) == 0 {
		entry = img.Entrypoint
		if len(command) == 0 {
			command = img.Cmd
		}
	}
	if len(entry) == 1 && entry[0] == "" {
		entry = nil
	}
	args := append(append([]string{}, entry...), command...)
	if len(args) == 0 {
		return nil, cannotStart("no command specified")
	}
	return args, nil
}

// environment is the environment: the host name, what is there by default, the image's
// variables, then those of environment files, of the definition, of its secrets, of the task, and of ECS. A
// later value replaces an earlier one in its place.
func environment(hostname string, image []string, def, over []taskdef.Variable, v Variables) []string {
	env := []string{"HOSTNAME=" + hostname}
	at := map[string]int{"HOSTNAME": 0}
	set := func(variable string) {
		name, _, _ := strings.Cut(variable, "=")
		if i, ok := at[name]; ok {
			env[i] = variable
			return
		}
		at[name] = len(env)
		env = append(env, variable)
	}
	all := func(list []string) {
		for _, variable := range list {
			set(variable)
		}
	}
	variables := func(list []taskdef.Variable) {
		for _, v := range list {
			set(v.Name + "=" + value(v.Value))
		}
	}
	all(v.Default)
	all(image)
	all(v.Files)
	variables(def)
	all(v.Secrets)
	variables(over)
	all(v.Agent)
	return env
}

// directory is the working directory, as the runtime finds or makes it.
func directory(d *taskdef.Container, img *ocispec.ImageConfig) (string, error) {
	if dir := value(d.WorkingDirectory); dir != "" {
		if !path.IsAbs(dir) {
			return "", cannotStart("the working directory '%s' is invalid, it needs to be an absolute path", dir)
		}
		return path.Clean(dir), nil
	}
	return path.Join("/", img.WorkingDir), nil
}

func user(d *taskdef.Container, img Image) (sandbox.User, error) {
	spec := img.Config.User
	if d.User != nil && *d.User != "" {
		spec = *d.User
	}
	u, err := img.User(spec)
	if err != nil {
		return u, cannotStart("%v", err)
	}
	return u, nil
}

// HealthCommand is the command line of a health check, nil when it asks for none.
// Source: Amazon ECS API reference, HealthCheck.
func HealthCommand(h *taskdef.HealthCheck) []string {
	switch {
	case h == nil || len(h.Command) == 0 || h.Command[0] == "NONE":
		return nil
	case h.Command[0] == "CMD":
		return h.Command[1:]
	case h.Command[0] == "CMD-SHELL":
		return append([]string{"/bin/sh", "-c"}, h.Command[1:]...)
	}
	return h.Command
}

// Error is why a container cannot run, in ECS's words.
type Error struct {
	Name string // of the error, as CannotStartContainerError
	Text string
}

// Error is the text after the error's name.
func (e *Error) Error() string { return e.Text }

// ECSName is the error's name.
func (e *Error) ECSName() string { return e.Name }

func cannotCreate(format string, args ...any) error {
	return &Error{"CannotCreateContainerError", fmt.Sprintf(format, args...)}
}

// cannotStart is the error of a container that Fargate's runtime does not take.
func cannotStart(format string, args ...any) error {
	return &Error{"CannotStartContainerError", "ResourceInitializationError: unable to create new container: " + fmt.Sprintf(format, args...)}
}
