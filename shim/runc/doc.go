// Package runc pins the version of runc that make builds; see go.mod. It is a
// module of its own because its dependencies conflict with gVisor's.
package runc
