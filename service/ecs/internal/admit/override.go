package admit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/tag"
)

// maxOverrides is how many characters the container overrides may have as JSON.
// Source: Amazon ECS API Reference, RunTask.
const maxOverrides = 8192

var readOverride = convert.Func[taskdef.Override, ecs.TaskOverride]()

// Override checks the overrides of a request against the definition and returns
// them as they are stored, nil without any.
func (c Capacity) Override(d *taskdef.Definition, in *ecs.TaskOverride) (*taskdef.Override, error) {
	if in == nil {
		return nil, nil
	}
	if len(in.InferenceAcceleratorOverrides) > 0 {
		return nil, Unsupported("Elastic Inference")
	}
	o := readOverride(in)
	if b, err := json.Marshal(o.ContainerOverrides); err != nil || len(b) > maxOverrides {
		return nil, invalid("Container Overrides length must be at most 8192")
	}
	if err := overriddenSize(d, &o, c.Fargate()); err != nil {
		return nil, err
	}
	if s := o.EphemeralStorage; s != nil {
		switch {
		case !c.Fargate():
			return nil, invalid("Ephemeral storage is only supported with the FARGATE launch type.")
		case s.SizeInGiB < launch.DefaultEphemeralGiB+1 || s.SizeInGiB > 200:
			return nil, invalid("The ephemeral storage size must be between 21 and 200 GiB.")
		}
	}
	return &o, c.overriddenContainers(d, &o)
}

// overriddenSize checks the task's cpu and memory.
func overriddenSize(d *taskdef.Definition, o *taskdef.Override, fargate bool) error {
	if o.Cpu != nil {
		if _, ok := taskdef.ParseCPU(*o.Cpu); !ok {
			return invalid("Invalid 'cpu' setting for task.")
		}
	}
	if o.Memory != nil {
		if _, ok := taskdef.ParseMemory(*o.Memory); !ok {
			return invalid("Invalid 'memory' setting for task.")
		}
	}
	if cpu, memory := launch.Size(d, o); fargate && !taskdef.FargateSize(cpu, memory, "") {
		return ecs.ClientException(fmt.Sprintf("No Fargate configuration exists for given values: %d CPU, %d memory. "+
			"See the Amazon ECS documentation for the valid values.", cpu, memory))
	}
	return nil
}

func (c Capacity) overriddenContainers(d *taskdef.Definition, o *taskdef.Override) error {
	seen := map[string]bool{}
	byName := map[string]*taskdef.ContainerOverride{}
	for i := range o.ContainerOverrides {
		oc := &o.ContainerOverrides[i]
		if oc.Name == nil || d.Container(*oc.Name) == nil {
			name := "null"
			if oc.Name != nil {
				name = *oc.Name
			}
			return invalid(fmt.Sprintf("Override for container named %s is not a container in the TaskDefinition.", name))
		}
		if seen[*oc.Name] {
			return invalid(fmt.Sprintf("Container %s is overridden more than once.", *oc.Name))
		}
		seen[*oc.Name], byName[*oc.Name] = true, oc
		if c.Fargate() && len(oc.ResourceRequirements) > 0 {
			return Unsupported("Resource requirements with the FARGATE launch type")
		}
		for _, f := range oc.EnvironmentFiles {
			if err := check.OneOf("environment file type", &f.Type, "s3"); err != nil {
				return err
			}
		}
		for _, e := range oc.Environment {
			if strings.TrimSpace(e.Name) == "" {
				return invalid("Environment variable name cannot be null or blank.")
			}
			if slices.ContainsFunc(d.Container(*oc.Name).Secrets, func(s taskdef.Secret) bool { return s.Name == e.Name }) {
				return invalid(fmt.Sprintf("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", e.Name))
			}
		}
	}
	return limits(d, o, byName)
}

// limits checks the containers' cpu and memory against the task's.
func limits(d *taskdef.Definition, o *taskdef.Override, over map[string]*taskdef.ContainerOverride) error {
	cpu, memory := launch.Size(d, o)
	sum := 0
	for i := range d.ContainerDefinitions {
		c := d.ContainerDefinitions[i]
		if oc := over[c.Name]; oc != nil {
			c.Cpu = first(oc.Cpu, &c.Cpu)
			if oc.Memory != nil {
				c.Memory = oc.Memory
			}
			if oc.MemoryReservation != nil {
				c.MemoryReservation = oc.MemoryReservation
			}
		}
		sum += int(c.Cpu)
		hard, soft := int(value(c.Memory)), int(value(c.MemoryReservation))
		switch {
		case c.Cpu < 0:
			return invalid(fmt.Sprintf("Invalid 'cpu' setting for container '%s'.", c.Name))
		case c.Memory != nil && hard < 4, c.MemoryReservation != nil && soft < 4:
			return invalid(fmt.Sprintf("Invalid 'memory' setting for container '%s'.", c.Name))
		case memory > 0 && max(hard, soft) > memory:
			return invalid(fmt.Sprintf("'memory' setting for container '%s' is greater than for task.", c.Name))
		case c.Memory != nil && soft > hard:
			return invalid(fmt.Sprintf("Invalid setting for container '%s'. 'memory' must be greater than 'memoryReservation'.", c.Name))
		}
	}
	if cpu > 0 && sum > cpu {
		return invalid("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")
	}
	return nil
}

// Tags checks the tags of a request and returns them as they are stored.
func Tags(tags []ecs.Tag) ([]compute.Tag, error) { return tag.Read(tags) }

func first(a, b *int32) int32 {
	if a != nil {
		return *a
	}
	return *b
}
