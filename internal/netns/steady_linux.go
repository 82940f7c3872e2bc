package netns

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// Steady runs fn, which lists what a namespace has, and again while that changes
// meanwhile, such as the devices of a namespace that the kernel takes apart: the
// kernel then marks its answer as interrupted (NLM_F_DUMP_INTR, netlink(7)). fn
// starts anew each time. A namespace that changes all the time is
// netlink.ErrDumpInterrupted in the end.
func Steady(fn func() error) (err error) {
	for range 20 {
		if err = fn(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return err
}
