package store

import "context"

// Limited is a store whose Updates fail with ErrFull while full says so.
func Limited(s Store, full func() bool) Store { return limited{s, full} }

type limited struct {
	Store
	full func() bool
}

// Update implements Store.
func (l limited) Update(ctx context.Context, fn func(Tx) error) error {
	if l.full() {
		return ErrFull
	}
	return l.Store.Update(ctx, fn)
}
