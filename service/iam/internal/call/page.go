package call

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	"neargate/service/internal/page"
	"neargate/store"
)

// Window is one page of a listing: what to skip and how much to take.
type Window struct {
	after string // position of the last item of the page before
	limit int
	scope []string
}

// Window opens the marker of a request. The scope is the operation and what the
// marker must not be used with anew.
func (e Env) Window(ctx context.Context, marker *string, items *int32, scope ...string) (Window, error) {
	w := Window{limit: defaultItems, scope: append([]string{"iam", auth.CallerFrom(ctx).Account}, scope...)}
	if items != nil {
		w.limit = int(*items)
	}
	if marker == nil {
		return w, nil
	}
	after, err := e.pages.Open(*marker, w.scope...)
	if errors.Is(err, page.ErrBad) {
		err = Invalid("Invalid Marker.")
	}
	w.after = after
	return w, err
}

// Listed reads the caller's records of a table by name, from the window's place
// on, whose path has the prefix: a page and one more if there is one.
func Listed[T any](ctx context.Context, e Env, w Window, table store.Table[T], prefix string, path func(*T) string) (out []T, err error) {
	account := auth.CallerFrom(ctx).Account
	var after []string
	if w.after != "" {
		after = []string{account, w.after}
	}
	err = e.Store.View(ctx, func(tx store.Tx) error {
		out = nil
		for r, err := range table.Page(tx, []string{account}, after, 0) {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(path(&r), prefix) {
				continue
			}
			if out = append(out, r); len(out) > w.limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// Cut takes a window's page of items that are ordered by key; position is the
// marker for the next page, nil on the last.
func Cut[T any](e Env, w Window, items []T, key func(T) string) (out []T, truncated *bool, marker *string) {
	if w.after != "" {
		start := slices.IndexFunc(items, func(i T) bool { return key(i) > w.after })
		if start < 0 {
			start = len(items)
		}
		items = items[start:]
	}
	if len(items) <= w.limit {
		return append([]T{}, items...), new(false), nil
	}
	items = items[:w.limit]
	return append([]T{}, items...), new(true), new(e.pages.Seal(key(items[w.limit-1]), w.scope...))
}

// Numbered gives items that are few and have no order of their own positions to
// page by.
func Numbered[T any](e Env, w Window, items []T) (out []T, truncated *bool, marker *string) {
	from := 0
	if w.after != "" {
		from, _ = strconv.Atoi(w.after) // sealed by this function
	}
	from = min(from, len(items))
	to := min(from+w.limit, len(items))
	out, truncated = append([]T{}, items[from:to]...), new(to < len(items))
	if *truncated {
		marker = new(e.pages.Seal(strconv.Itoa(to), w.scope...))
	}
	return out, truncated, marker
}
