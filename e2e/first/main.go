// Command first says "first" with its first instructions, before the Go runtime starts,
// so that a measurement of a container's first line is one of its first instruction. With
// an argument it stays until SIGTERM.
//
//	go build -ldflags '-E main.entry' ./first
package main

import (
	"os"
	"os/signal"
	"syscall"
)

// entry is where the program starts: it writes the line and goes on as any Go program.
func entry()

func main() {
	if len(os.Args) > 1 {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		<-c
	}
}
