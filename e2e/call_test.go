package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// targets are the X-Amz-Target prefixes of the JSON services; versions are the
// API versions of the query services.
var (
	targets  = map[string]string{"ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328"}
	versions = map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}
)

// call SERVICE OPERATION [INPUT]: sends one request, signed by the SDK's signer,
// and prints the answer's status and body as they came. INPUT is a
// JSON object, or the parameters of a form without Action and Version.
func call(ts *testscript.TestScript, neg bool, args []string) {
	status, said := send(ts, args)
	fmt.Fprint(ts.Stdout(), said)
	if neg != (status >= http.StatusBadRequest) {
		ts.Fatalf("%s: status %d", strings.Join(args, " "), status)
	}
}

// send sends what call describes and returns the status and what call prints.
func send(ts *testscript.TestScript, args []string) (int, string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: call SERVICE OPERATION [INPUT]")
	}
	req, body := request(ts, args[0], args[1], strings.Join(args[2:], ""))
	sum := sha256.Sum256(body)
	ts.Check(v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID:     ts.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: ts.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    ts.Getenv("AWS_SESSION_TOKEN"),
	}, req, hex.EncodeToString(sum[:]), args[0], ts.Getenv("AWS_REGION"), time.Now()))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, fmt.Sprintf("%d\n%s\n", resp.StatusCode, answer)
}

func request(ts *testscript.TestScript, service, operation, input string) (*http.Request, []byte) {
	header := http.Header{}
	if prefix, ok := targets[service]; ok {
		if input == "" {
			input = "{}"
		}
		header.Set("X-Amz-Target", prefix+"."+operation)
		header.Set("Content-Type", "application/x-amz-json-1.1")
	} else {
		input = fmt.Sprintf("Action=%s&Version=%s&%s", operation, versions[service], input)
		header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("AWS_ENDPOINT_URL")+"/", bytes.NewReader([]byte(input)))
	ts.Check(err)
	req.Header = header
	return req, []byte(input)
}

// node SCRIPT: runs a script of js/ with Node.js, after installing the SDK for
// JavaScript there once.
func node(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: node SCRIPT")
	}
	ts.Check(packages())
	ts.Check(ts.Exec("node", mustAbs(filepath.Join("js", args[0]))))
}

// packages installs what js/package-lock.json names unless that was done.
var packages = sync.OnceValue(func() error {
	lock, err := os.Stat("js/package-lock.json")
	if err != nil {
		return err
	}
	if done, err := os.Stat("js/node_modules/.package-lock.json"); err == nil && !done.ModTime().Before(lock.ModTime()) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = "js"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})
