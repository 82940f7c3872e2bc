// Package leak tells what is left on a machine after something ran: it lists the
// kernel's and the file system's objects before and after, and says the
// difference in words.
package leak

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Kinds of objects.
const (
	Namespace = "network namespace"
	Link      = "link"
	Address   = "address"
	Route     = "route"
	Rule      = "routing rule"
	Table     = "nftables table"
	Mount     = "mount"
	Cgroup    = "cgroup"
	Process   = "process"
	Loop      = "loop device"
	File      = "file"
	Socket    = "socket"
)

// Object is something that can be left behind.
type Object struct {
	Kind string
	Key  string // tells it from all others of its kind, also from later ones
	Text string // what it is, in words
	at   netip.Prefix
}

func (o Object) String() string { return o.Kind + " " + o.Text }

// Snapshot is what there is at a moment.
type Snapshot map[string]Object // by kind and key

func (s Snapshot) add(kind, key, text string) {
	s[kind+"\x00"+key] = Object{Kind: kind, Key: key, Text: text}
}

// Scope says which objects matter: those that name one of the words, and
// addresses and routes inside the pool. An empty one is everything.
type Scope struct {
	Dirs  []string     // folders whose files are listed; their paths are words too
	Words []string     // as the tag of an installation
	Pool  netip.Prefix // of public addresses
}

// Take lists what there is in the scope.
func Take(s Scope) (Snapshot, error) {
	all := Snapshot{}
	err := errors.Join(
		all.processes(), all.mounts(), all.cgroups(), all.loops(), all.sockets(), all.network(), all.files(s.Dirs))
	if s.everything() {
		return all, err
	}
	maps.DeleteFunc(all, func(_ string, o Object) bool { return !s.has(o) })
	return all, err
}

func (s Scope) everything() bool { return len(s.Dirs)+len(s.Words) == 0 && !s.Pool.IsValid() }

func (s Scope) has(o Object) bool {
	if s.Pool.IsValid() && o.at.IsValid() && s.Pool.Overlaps(o.at) && o.at.Bits() >= s.Pool.Bits() {
		return true
	}
	return slices.ContainsFunc(slices.Concat(s.Dirs, s.Words), func(w string) bool { return strings.Contains(o.Text, w) })
}

// Added is what after has and before had not, in words and in order.
func Added(before, after Snapshot) []string {
	var list []string
	for k, o := range after {
		if _, had := before[k]; !had {
			list = append(list, o.String())
		}
	}
	slices.Sort(list)
	return list
}

// Left is what the scope has more than before. What the kernel removes on its
// own time, such as a namespace nobody holds any more, gets that time: Left
// looks again until nothing is left or the wait is over.
func Left(s Scope, before Snapshot, wait time.Duration) ([]string, error) {
	for deadline := time.Now().Add(wait); ; time.Sleep(50 * time.Millisecond) {
		after, err := Take(s)
		if err != nil {
			return nil, fmt.Errorf("leak check: %w", err)
		}
		if left := Added(before, after); len(left) == 0 || time.Now().After(deadline) {
			return left, nil
		}
	}
}
