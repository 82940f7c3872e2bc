//go:build !amd64

package filters

// compiled is nothing where the generator has not run yet.
var compiled []byte
