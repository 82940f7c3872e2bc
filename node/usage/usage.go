// Package usage tells what the tasks of a host use: processor time, memory,
// network bytes, disk. Nothing is measured until somebody asks.
package usage

import (
	"context"
	"errors"
	"time"

	"neargate/internal/pause"
)

// Figures is what a task had used at a moment.
type Figures struct {
	At         time.Time
	Containers map[string]Container // those that run, by name
	Networks   map[string]Traffic   // by interface
	Host       Host
}

// Container is what a container had used since it started. What an implementation
// cannot tell is zero.
type Container struct {
	CPU, User, Kernel time.Duration
	Memory            uint64 // bytes in use, page cache included
	Cache             uint64 // of these, page cache
	MaxMemory         uint64 // the most there was
	Limit             uint64 // bytes; zero: none of its own
	Processes         int
}

// Traffic counts what passed an interface.
type Traffic struct {
	ReceivedBytes, ReceivedPackets, ReceivedErrors, ReceivedDropped uint64
	SentBytes, SentPackets, SentErrors, SentDropped                 uint64
}

// Host is what the whole host had used, against which a share is reckoned.
type Host struct {
	CPU  time.Duration // of all processors, idle included
	CPUs int
}

// Pair is two moments of a task between which rates are taken.
type Pair struct{ Before, Now Figures }

// Seconds is the time between the two.
func (p Pair) Seconds() float64 { return p.Now.At.Sub(p.Before.At).Seconds() }

// Container returns a container at both moments. A container that started again
// between them, or was not there at one, has no rates yet.
func (p Pair) Container(name string) (before, now Container, ok bool) {
	before, was := p.Before.Containers[name]
	now, is := p.Now.Containers[name]
	return before, now, was && is && now.CPU >= before.CPU && p.Seconds() > 0
}

// Rate returns the bytes a second that the task's interfaces received and sent.
// An interface whose counters went back, or that was not there before, adds
// nothing.
func (p Pair) Rate() (received, sent float64) {
	seconds := p.Seconds()
	if seconds <= 0 {
		return 0, 0
	}
	for name, now := range p.Now.Networks {
		before, ok := p.Before.Networks[name]
		if !ok || now.ReceivedBytes < before.ReceivedBytes || now.SentBytes < before.SentBytes {
			continue
		}
		received += float64(now.ReceivedBytes-before.ReceivedBytes) / seconds
		sent += float64(now.SentBytes-before.SentBytes) / seconds
	}
	return received, sent
}

// apart is how far the two moments of a pair are from each other at least.
const apart = time.Second

// Sampler takes the figures of one task when somebody asks. Its methods may be
// called from many goroutines.
type Sampler struct {
	read func(ctx context.Context) (Figures, error)
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
	one  chan struct{} // held by who measures
	pair Pair
}

// NewSampler returns a sampler that gets figures from read, which sets everything
// but their time.
func NewSampler(read func(ctx context.Context) (Figures, error)) *Sampler {
	return &Sampler{read: read, now: time.Now, wait: sleep, one: make(chan struct{}, 1)}
}

// Pair returns the figures of now, or of less than a second ago, and those of at
// least a second before them: when it was last asked, or, the first time, after
// waiting for them.
func (s *Sampler) Pair(ctx context.Context) (Pair, error) {
	select {
	case s.one <- struct{}{}:
		defer func() { <-s.one }()
	case <-ctx.Done():
		return Pair{}, ctx.Err()
	}
	age := s.now().Sub(s.pair.Now.At)
	complete := !s.pair.Before.At.IsZero()
	if complete && age >= 0 && age < apart {
		return s.pair, nil
	}
	if s.pair.Now.At.IsZero() || age < 0 { // the first time, or the clock was set back
		f, err := s.measure(ctx)
		if err != nil {
			return Pair{}, err
		}
		s.pair, age = Pair{Now: f}, 0
	}
	if age < apart {
		if err := s.wait(ctx, apart-age); err != nil {
			return Pair{}, err
		}
	}
	f, err := s.measure(ctx)
	if err != nil {
		return Pair{}, err
	}
	if !f.At.After(s.pair.Now.At) {
		return Pair{}, errors.New("usage: the clock was set back")
	}
	s.pair = Pair{Before: s.pair.Now, Now: f}
	return s.pair, nil
}

func (s *Sampler) measure(ctx context.Context) (Figures, error) {
	f, err := s.read(ctx)
	f.At = s.now()
	return f, err
}

func sleep(ctx context.Context, d time.Duration) error {
	if !pause.For(ctx, d) {
		return ctx.Err()
	}
	return nil
}
