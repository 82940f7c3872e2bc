// Package service holds what every AWS API implementation under service/ is
// built with. The implementations never import each other: they share records
// (resource/*) through the store.
package service

import (
	"net/netip"
	"time"

	"neargate/arn"
	"neargate/store"
)

// Deps is what a service is given. Time and chance come from here and from
// nowhere else.
type Deps struct {
	Store store.Store
	Now   func() time.Time
	IDs   *arn.Source
	// TokenKey is the installation's 32-byte secret that seals pagination tokens.
	TokenKey [32]byte
	// Public is the installation's range of public addresses; zero: all of
	// network.PublicRange.
	Public netip.Prefix
}
