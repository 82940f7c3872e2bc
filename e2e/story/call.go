package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// targets are the X-Amz-Target prefixes of the JSON services; versions are the
// API versions of the query services.
var (
	targets = map[string]string{
		"cloudtrail": "CloudTrail_20131101", "ecr": "AmazonEC2ContainerRegistry_V20150921", "ecs": "AmazonEC2ContainerServiceV20141113", "kms": "TrentService", "logs": "Logs_20140328",
		"secretsmanager": "secretsmanager", "ssm": "AmazonSSM",
		"ce": "AWSInsightsIndexService", "pricing": "AWSPriceListService", "budgets": "AWSBudgetServiceGateway",
	}
	versions = map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}
)

// Target is the X-Amz-Target prefix of a JSON service.
func Target(service string) (prefix string, ok bool) {
	prefix, ok = targets[service]
	return prefix, ok
}

// Version is the API version of a query service.
func Version(service string) string { return versions[service] }

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
func (s Stage) node(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: node SCRIPT")
	}
	js := filepath.Join(s.E2E, "js")
	ts.Check(packages(js))
	ts.Check(ts.Exec("node", filepath.Join(js, args[0])))
}

// packages installs what package-lock.json in a folder names unless that was
// done. One process at a time does it.
func packages(dir string) error {
	lock, err := os.Open(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	wanted, err := lock.Stat()
	if err != nil {
		return err
	}
	if done, err := os.Stat(filepath.Join(dir, "node_modules/.package-lock.json")); err == nil && !done.ModTime().Before(wanted.ModTime()) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

// fetch URL: prints the status and the body of a page.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	said, err := get(args)
	fmt.Fprint(ts.Stdout(), said)
	if neg != (err != nil) {
		ts.Fatalf("fetch: %v", err)
	}
}

func get(args []string) (string, error) {
	if len(args) != 1 {
		return "", errors.New("usage: fetch URL")
	}
	return Fetch(args[0])
}

// client keeps no connections: the other end may be another task at the next call.
var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
	DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}}

// Fetch gets a page and returns its status and body.
func Fetch(url string) (string, error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d\n%s", resp.StatusCode, body), err
}

// guest ADDRESS VERB...: the guest that serves at the address does something and
// its output is printed.
func guest(ts *testscript.TestScript, neg bool, args []string) {
	said, err := ask(args)
	fmt.Fprint(ts.Stdout(), said)
	if neg != (err != nil) {
		ts.Fatalf("guest: %v", err)
	}
}

func ask(args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: guest ADDRESS VERB [ARGUMENT]")
	}
	return Ask(args[0], args[1:]...)
}

// Ask has the guest that serves at an address run another with the arguments
// beside it, and returns what that printed. A guest that failed is an error.
func Ask(address string, command ...string) (string, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return "", err
	}
	resp, err := client.Post("http://"+address+"/do", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || resp.Header.Get("Guest-Exit") != "0") {
		err = fmt.Errorf("%s: status %d, exit code %s: %s", command, resp.StatusCode, resp.Header.Get("Guest-Exit"), said)
	}
	return string(said), err
}
