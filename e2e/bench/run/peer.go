package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// peer is another program's way to run the program: a command that says its line.
type peer struct {
	name    string
	command []string
	took    []time.Duration
}

// parsePeer reads NAME=COMMAND; the command's words are separated by spaces.
func parsePeer(s string) (*peer, error) {
	name, command, _ := strings.Cut(s, "=")
	p := &peer{name: name, command: strings.Fields(command)}
	if name == "" || len(p.command) == 0 {
		return nil, fmt.Errorf("%q is not NAME=COMMAND", s)
	}
	return p, nil
}

func (p *peer) run(ctx context.Context) error {
	took, err := firstLine(ctx, p.command)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.took = append(p.took, took)
	return nil
}

// firstLine runs a command to its end and returns how long its first line took.
func firstLine(ctx context.Context, command []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var said bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &said, time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewReader(out)
	_, silent := lines.ReadString('\n')
	took := time.Since(begin)
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, said.Bytes())
	}
	if silent != nil {
		return 0, fmt.Errorf("says no line: %s", said.Bytes())
	}
	return took, nil
}
