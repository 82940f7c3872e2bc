package definition

import (
	"slices"

	"neargate/resource/compute/taskdef"
)

// unbuilt lists the parameters whose component does not exist here. A definition
// with one of them is refused, because a task could only run by ignoring it.
var unbuilt = []struct {
	parameter string
	reason    string // what would have to exist
	asked     func(*taskdef.Definition) bool
}{
	{"efsVolumeConfiguration", "Amazon EFS", anyVolume(func(v *taskdef.Volume) bool { return v.EfsVolumeConfiguration != nil })},
	{"fsxWindowsFileServerVolumeConfiguration", "Amazon FSx", anyVolume(func(v *taskdef.Volume) bool { return v.FsxWindowsFileServerVolumeConfiguration != nil })},
	{"s3filesVolumeConfiguration", "Amazon S3 Files", anyVolume(func(v *taskdef.Volume) bool { return v.S3filesVolumeConfiguration != nil })},
	{"configuredAtLaunch", "Amazon EBS", anyVolume(func(v *taskdef.Volume) bool { return deref(v.ConfiguredAtLaunch) })},
	{"proxyConfiguration", "AWS App Mesh", func(d *taskdef.Definition) bool { return d.ProxyConfiguration != nil }},
	{"inferenceAccelerators", "Amazon Elastic Inference", func(d *taskdef.Definition) bool { return len(d.InferenceAccelerators) > 0 }},
	{"enableFaultInjection", "AWS Fault Injection Service", func(d *taskdef.Definition) bool { return deref(d.EnableFaultInjection) }},
	{"resourceRequirements", "accelerator devices", anyContainer(func(c *taskdef.Container) bool { return len(c.ResourceRequirements) > 0 })},
	{"credentialSpecs", "Active Directory", anyContainer(func(c *taskdef.Container) bool { return len(c.CredentialSpecs) > 0 })},
	{"versionConsistency", "resolving the images of a deployment once", anyContainer(func(c *taskdef.Container) bool { return deref(c.VersionConsistency) == "enabled" })},
	{"firelensConfiguration", "FireLens", anyContainer(func(c *taskdef.Container) bool { return c.FirelensConfiguration != nil })},
	{"logDriver awsfirelens", "FireLens", logsTo("awsfirelens")},
	{"logDriver splunk", "Splunk", logsTo("splunk")},
}

// refuseUnbuilt refuses a definition that asks for a component that is not built.
func refuseUnbuilt(d *taskdef.Definition) error {
	for _, u := range unbuilt {
		if u.asked(d) {
			return refuse("The '%s' parameter is not supported in this Region (%s is not available). Remove the parameter and try again.", u.parameter, u.reason)
		}
	}
	return nil
}

func anyVolume(f func(*taskdef.Volume) bool) func(*taskdef.Definition) bool {
	return func(d *taskdef.Definition) bool {
		return slices.ContainsFunc(d.Volumes, func(v taskdef.Volume) bool { return f(&v) })
	}
}

func anyContainer(f func(*taskdef.Container) bool) func(*taskdef.Definition) bool {
	return func(d *taskdef.Definition) bool {
		return slices.ContainsFunc(d.ContainerDefinitions, func(c taskdef.Container) bool { return f(&c) })
	}
}

func logsTo(driver string) func(*taskdef.Definition) bool {
	return anyContainer(func(c *taskdef.Container) bool {
		return c.LogConfiguration != nil && c.LogConfiguration.LogDriver == driver
	})
}
