package node

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// locked serves the stories' images to who knows the password only, as a private
// registry does.
func locked(images http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "story" || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	})
}

// aws runs the AWS CLI as the account's root user.
func (c *tenant) aws(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(e2e, "bin/aws"), args...)
	cmd.Env = os.Environ()
	for k, v := range c.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("aws %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// allowSecrets lets the execution role read secrets and environment files.
func (c *tenant) allowSecrets(t *testing.T) {
	t.Helper()
	_, err := c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("ecsTaskExecutionRole"), PolicyName: aws.String("secrets"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:GetParameters","secretsmanager:GetSecretValue","s3:GetObject","s3:GetBucketLocation"],"Resource":"*"}]}`)})
	ok(t, err)
}

// secrets: a container gets what its definition names, and nobody else does.
func secrets(t *testing.T, c *tenant) {
	const word = "oP3nS3sAm3-" // in every secret, and nowhere else
	c.aws(t, "ssm", "put-parameter", "--name", "/app/plain", "--type", "String", "--value", word+"plain")
	c.aws(t, "ssm", "put-parameter", "--name", "/app/secure", "--type", "SecureString", "--value", word+"secure")
	db := c.aws(t, "secretsmanager", "create-secret", "--name", "app/db", "--secret-string", `{"password":"`+word+`json","port":5432}`, "--query", "ARN", "--output", "text")
	private := c.aws(t, "secretsmanager", "create-secret", "--name", "registry", "--secret-string", `{"username":"story","password":"open sesame"}`, "--query", "ARN", "--output", "text")
	c.allowSecrets(t)

	from := func(name, valueFrom string) types.Secret {
		return types.Secret{Name: aws.String(name), ValueFrom: aws.String(valueFrom)}
	}
	group := c.logged(t)
	with := func(command ...string) types.ContainerDefinition {
		k := guestContainer("main", command...)
		k.Secrets = []types.Secret{from("PLAIN", "/app/plain"), from("SECURE", "arn:aws:ssm:us-east-1:"+c.account+":parameter/app/secure"),
			from("PASSWORD", db+":password::"), from("PORT", db+":port:AWSCURRENT:")}
		return k
	}
	said := with("facts")
	bucket := "files-" + c.account
	c.aws(t, "s3api", "create-bucket", "--bucket", bucket)
	file := filepath.Join(t.TempDir(), "app.env")
	ok(t, os.WriteFile(file, []byte("# the application\nFILE=from the file\nPORT=1\nFROM=file\n"), 0o600))
	c.aws(t, "s3api", "put-object", "--bucket", bucket, "--key", "app.env", "--body", file)
	said.EnvironmentFiles = []types.EnvironmentFile{{Type: types.EnvironmentFileTypeS3, Value: aws.String("arn:aws:s3:::" + bucket + "/app.env")}}
	said.Environment = []types.KeyValuePair{{Name: aws.String("FROM"), Value: aws.String("definition")}}
	said.LogConfiguration = c.awslogs(t, group, nil)
	arn := c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{said}, ExecutionRoleArn: aws.String(c.role)})
	if x := c.stopped(t, arn); !exited(t, x, "main", 0) {
		t.Fatal(told(x))
	}
	eventually(t, "the facts", func() bool { return len(c.events(t, group, "main", arn)) == 1 })
	env := factsOf(t, c.events(t, group, "main", arn)[0]).Env
	for name, want := range map[string]string{"PLAIN": word + "plain", "SECURE": word + "secure", "PASSWORD": word + "json", "PORT": "5432", "FILE": "from the file", "FROM": "definition"} {
		if env[name] != want {
			t.Errorf("%s=%s, want %s", name, env[name], want)
		}
	}

	// Outside of the container a secret is in files only root may read.
	quiet := c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{with("forever")}, ExecutionRoleArn: aws.String(c.role)})
	c.running(t, quiet)
	if out := c.aws(t, "ecs", "describe-tasks", "--tasks", quiet); strings.Contains(out, word) {
		t.Errorf("DescribeTasks shows a secret: %s", out)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ok(t, err)
	for _, file := range commands {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte(word)) && !bytes.Contains(b, []byte("put-parameter")) && !bytes.Contains(b, []byte("create-secret")) {
			t.Errorf("a process has a secret among its arguments: %q", b)
		}
	}
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	ok(t, err)
	for _, exe := range programs {
		name, err := os.Readlink(exe)
		if err != nil || !strings.HasPrefix(filepath.Base(name), "neargate") && filepath.Base(name) != "runc" {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "environ")); err == nil && bytes.Contains(b, []byte(word)) {
			t.Errorf("%s has a secret in its environment", name)
		}
	}
	ok(t, filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(c.Dir, "logs")) || strings.HasPrefix(path, filepath.Join(c.Dir, "images")) {
			return nil // gone meanwhile, or what the container above printed
		}
		info, err := d.Info()
		if err != nil || info.Size() > 64<<20 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(b, []byte(word+"secure")) && !bytes.Contains(b, []byte(word+"json")) {
			return nil
		}
		if task, ok := strings.CutPrefix(path, filepath.Join(c.Dir, "tasks")); !ok || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s (%v) holds a secret", task, info.Mode())
		}
		return nil
	}))
	c.stop(t, quiet)

	// The log driver's options come from both stores, too, and stay as secret.
	where := guestContainer("main", "print", "to a secret group")
	where.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-region": c.region},
		SecretOptions: []types.Secret{from("awslogs-group", "/app/group"), from("awslogs-stream-prefix", db+":prefix::")}}
	hidden := definition{Family: aws.String("hidden"), ContainerDefinitions: []types.ContainerDefinition{where}, ExecutionRoleArn: aws.String(c.role)}
	if x := c.stopped(t, c.run(t, hidden)); x.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasSuffix(*x.StoppedReason,
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /app/group") {
		t.Error(told(x))
	}
	c.aws(t, "ssm", "put-parameter", "--name", "/app/group", "--type", "SecureString", "--value", group)
	c.aws(t, "secretsmanager", "put-secret-value", "--secret-id", db, "--secret-string", `{"prefix":"s"}`)
	arn = c.run(t, hidden)
	if x := c.stopped(t, arn); !exited(t, x, "main", 0) {
		t.Error(told(x))
	}
	eventually(t, "the output", func() bool { return slices.Contains(c.events(t, group, "main", arn), "to a secret group") })

	// A private registry lets in whom a secret says, and nobody else.
	k := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String(guarded + "/neargate/guest:latest"), Command: []string{"exit", "0"}}
	if x := c.stopped(t, c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)})); x.StopCode != types.TaskStopCodeTaskFailedToStart ||
		!strings.HasPrefix(*x.StoppedReason, "CannotPullContainerError: ") {
		t.Error(told(x))
	}
	k.RepositoryCredentials = &types.RepositoryCredentials{CredentialsParameter: aws.String(private)}
	if x := c.stopped(t, c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)})); !exited(t, x, "main", 0) {
		t.Error(told(x))
	}
	_, err = c.iam.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String("ecsTaskExecutionRole"), PolicyName: aws.String("secrets")})
	ok(t, err)
	if x := c.stopped(t, c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)})); x.StopCode != types.TaskStopCodeTaskFailedToStart ||
		!strings.HasPrefix(*x.StoppedReason, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to get registry auth from asm: "+
			"service call has been retried 1 time(s): asm fetching secret from the service for "+private+": AccessDeniedException: User: ") ||
		!strings.Contains(*x.StoppedReason, "because no identity-based policy allows the secretsmanager:GetSecretValue action") {
		t.Error(told(x))
	}
	c.allowSecrets(t)
	k.RepositoryCredentials.CredentialsParameter = aws.String(db)
	if x := c.stopped(t, c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)})); x.StopCode != types.TaskStopCodeTaskFailedToStart ||
		!strings.HasPrefix(*x.StoppedReason, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to get registry auth from asm: ") {
		t.Error(told(x))
	}
}
