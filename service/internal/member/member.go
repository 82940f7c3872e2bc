// Package member is what services do alike with members of requests and records: those
// that may be left out, and tags.
package member

// Or is what p points to, otherwise where p is nil.
func Or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
