// Command guest is what containers of the stories run: one static program that
// does what its arguments say.
//
//	guest VERB ARGUMENT... [then VERB ARGUMENT...]...
//
// "serve" lets others ask for more: a POST of a JSON array of arguments to /do
// runs the guest with them beside the server and answers with what it said.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: guest VERB ARGUMENT... [then VERB ARGUMENT...]...")
		os.Exit(64)
	}
	for len(args) > 0 {
		step := args
		if i := slices.Index(args, "then"); i >= 0 {
			step, args = args[:i], args[i+1:]
		} else {
			args = nil
		}
		if err := do(step); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
	}
}

// do does one step.
func do(step []string) error {
	if len(step) == 0 {
		return fmt.Errorf("do what?")
	}
	name, args := step[0], step[1:]
	v, ok := verbs()[name]
	if !ok {
		return fmt.Errorf("what is %s?", name)
	}
	if len(args) < v.least {
		return fmt.Errorf("usage: guest %s %s", name, v.usage)
	}
	return v.do(args)
}

// verb is something the guest can do.
type verb struct {
	usage string
	least int // arguments
	do    func(args []string) error
}

func verbs() map[string]verb {
	return map[string]verb{
		"print":    {"TEXT...", 1, func(a []string) error { fmt.Println(strings.Join(a, " ")); return nil }},
		"error":    {"TEXT...", 1, func(a []string) error { fmt.Fprintln(os.Stderr, strings.Join(a, " ")); return nil }},
		"raw":      {"GO-STRING", 1, raw},
		"lines":    {"COUNT RATE PREFIX [PADDING]", 3, lines},
		"sleep":    {"DURATION", 1, sleep},
		"forever":  {"", 0, func([]string) error { return forever() }},
		"exit":     {"CODE", 1, exit},
		"signal":   {"SIGNAL: sends itself", 1, suicide},
		"trap":     {"CODE SIGNAL...: prints the first to come and exits", 2, trap},
		"deaf":     {"SIGNAL...: ignores them until killed", 1, deaf},
		"wait":     {"FILE", 1, wait},
		"write":    {"FILE TEXT", 2, func(a []string) error { return os.WriteFile(a[0], []byte(a[1]), 0o644) }},
		"append":   {"FILE TEXT", 2, appendTo},
		"read":     {"FILE", 1, read},
		"remove":   {"FILE", 1, func(a []string) error { return os.Remove(a[0]) }},
		"list":     {"DIR", 1, list},
		"facts":    {"", 0, facts},
		"terminal": {"", 0, func([]string) error { terminal(); return nil }},
		"input":    {"[TEXT]: prints it, reads standard input to the end", 0, input},
		"alloc":    {"MIB [DURATION]: takes and holds", 1, alloc},
		"spin":     {"THREADS DURATION", 2, spin},
		"threads":  {"COUNT", 1, threads},
		"fill":     {"FILE [MIB]", 1, fill},
		"reserve":  {"FILE MIB", 2, reserve},
		"serve":    {"ADDRESS [TEXT]", 1, serve},
		"get":      {"URL [NAME:VALUE...]", 1, get},
		"dial":     {"ADDRESS [TIMEOUT]", 1, dial},
		"resolve":  {"NAME", 1, resolve},
		"metadata": {"[PATH]", 0, metadata},
		"sysctl":   {"NAME", 1, sysctl},
		"dialfrom": {"OWN-ADDRESS ADDRESS", 2, dialFrom},
		"dialunix": {"PATH", 1, dialUnix},
		"hear":     {"ADDRESS DURATION", 2, hear},
		"forge":    {"FROM TO TEXT", 3, forge},
		"claim":    {"DEVICE ADDRESS", 2, claim},
		"device":   {"FILE MAJOR MINOR", 3, device},
		"answer":   {"ADDRESS: for measure", 1, answer},
		"measure":  {"round-trip|connections|throughput ADDRESS COUNT-OR-MIB", 3, measure},
	}
}
