// Package optional reads members that a request may leave out.
package optional

// Or is what p points to, otherwise where p is nil.
func Or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
