package definition

import (
	"maps"
	"slices"
	"testing"

	"neargate/aws/ecs"
)

// logOptions are complete options of the awslogs driver but for those left out.
func logOptions(without ...string) map[string]string {
	all := map[string]string{"awslogs-region": "us-east-1", "awslogs-group": "g", "awslogs-stream-prefix": "p"}
	for _, name := range without {
		delete(all, name)
	}
	return all
}

// secretLog sends the container's output to a driver with secret options, NAME and
// where its value is from by turns.
func secretLog(driver string, options map[string]string, secrets ...string) func(*ecs.RegisterTaskDefinitionInput) {
	return app(func(c *ecs.ContainerDefinition) {
		c.LogConfiguration = &ecs.LogConfiguration{LogDriver: &driver, Options: options}
		for pair := range slices.Chunk(secrets, 2) {
			c.LogConfiguration.SecretOptions = append(c.LogConfiguration.SecretOptions, ecs.Secret{Name: &pair[0], ValueFrom: &pair[1]})
		}
	})
}

func TestSecretOptions(t *testing.T) {
	role := func(in *ecs.RegisterTaskDefinitionInput) { in.ExecutionRoleArn = new("exec") }
	const manager = "arn:aws:secretsmanager:us-east-1:123456789012:secret:group-AbCdEf"
	for _, name := range []string{"awslogs-group", "awslogs-region", "awslogs-stream-prefix"} {
		out, err := newHandler(t).RegisterTaskDefinition(ctx, fargate(role, secretLog("awslogs", logOptions(name), name, "/app/"+name, "awslogs-multiline-pattern", manager)))
		if err != nil {
			t.Errorf("%s from a secret: %v", name, err)
			continue
		}
		var need []string
		for _, a := range out.TaskDefinition.RequiresAttributes {
			need = append(need, *a.Name)
		}
		for _, store := range []string{"asm", "ssm"} {
			if !slices.Contains(need, "ecs.capability.secrets."+store+".bootstrap.log-driver") {
				t.Errorf("%s: required are %q", store, need)
			}
		}
		if got := out.TaskDefinition.ContainerDefinitions[0].LogConfiguration; len(got.SecretOptions) != 2 || !maps.Equal(got.Options, logOptions(name)) {
			t.Errorf("registered: %+v", got)
		}
	}
	for want, in := range map[string]*ecs.RegisterTaskDefinitionInput{
		"ClientException: When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.":                                                                                      fargate(secretLog("awslogs", logOptions("awslogs-group"), "awslogs-group", "/g")),
		"ClientException: The Systems Manager parameter name specified for secret mode is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,": fargate(role, secretLog("awslogs", logOptions(), "mode", "a b")),
		"ClientException: Invalid 'logConfiguration.secretOptions' setting for container 'app'.":                                                                                                                 fargate(role, secretLog("awslogs", logOptions(), "awslogs-group", "/g")),
		"ClientException: Duplicate secret names found: mode. Each secret name must be unique.":                                                                                                                  fargate(role, secretLog("awslogs", logOptions(), "mode", "/a", "mode", "/b")),
		"ClientException: Log driver awslogs disallows options: splunk-token":                                                                                                                                    fargate(role, secretLog("awslogs", logOptions(), "splunk-token", "/a")),
		"ClientException: Log driver awslogs requires options: awslogs-region, awslogs-group":                                                                                                                    fargate(role, secretLog("awslogs", logOptions("awslogs-group"), "mode", "/a")),
		"ClientException: The 'logDriver splunk' parameter is not supported in this Region (Splunk is not available). Remove the parameter and try again.":                                                       fargate(role, secretLog("splunk", map[string]string{"splunk-url": "https://splunk.example.com:8088"}, "splunk-token", manager)),
	} {
		if _, err := newHandler(t).RegisterTaskDefinition(ctx, in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
