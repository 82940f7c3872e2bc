// Package pause waits for a while, unless a context ends before.
package pause

import (
	"context"
	"time"
)

// For waits for d and reports whether ctx has not ended by then.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
