package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// startPeers starts what neargate is measured beside, if it is installed.
func startPeers(dir string) ([]*server, error) {
	if *beside != "" {
		other, err := startNeargate(filepath.Join(dir, "beside"), *beside)
		if err != nil {
			return nil, err
		}
		other.name = filepath.Base(*beside)
		return []*server{other}, nil
	}
	moto, err := startMoto()
	if err != nil {
		fmt.Println("moto_server is not installed: measuring without it")
		return nil, nil
	}
	return []*server{moto}, nil
}

func startNeargate(dir, binary string) (*server, error) {
	data := filepath.Join(dir, "data")
	bin, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if out, err := onCPU(0, bin, "up", "-d", "--runtime", "fake", "--no-throttle", "--data-dir", data, "--listen", "127.0.0.1:0").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	s, err := running(data)
	if err != nil {
		return nil, err
	}
	s.stop = func() { exec.Command(bin, "down", "--data-dir", data).Run() }
	return s, nil
}

func startMoto() (*server, error) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return nil, err
	}
	port := freePort()
	return launch("moto_server", port, onCPU(0, path, "-H", "127.0.0.1", "-p", port))
}

func startBare(dir string, answer []byte) (*server, error) {
	file := filepath.Join(dir, "answer")
	if err := os.WriteFile(file, answer, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port := freePort()
	cmd := onCPU(0, self, "-bare", file)
	cmd.Env = append(os.Environ(), "PORT="+port)
	return launch("net/http", port, cmd)
}

// serveBare answers every request with the same bytes, having read its body.
func serveBare(file string) {
	answer, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Write(answer)
	})))
}

// launch runs a server until it accepts connections.
func launch(name, port string, cmd *exec.Cmd) (*server, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, url: "http://127.0.0.1:" + port, pid: cmd.Process.Pid,
		key: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}}
	s.stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for range 600 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not listen", name)
}

// onCPU pins a command to a processor where taskset is installed.
func onCPU(cpu int, args ...string) *exec.Cmd {
	if _, err := exec.LookPath("taskset"); err == nil {
		args = append([]string{"taskset", "-c", strconv.Itoa(cpu)}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
