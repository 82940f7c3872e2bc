// Package control lists the controllers of tasks and services: what makes of a
// wish what is.
package control

import (
	"net/netip"
	"time"

	"neargate/arn"
	"neargate/control/attach"
	"neargate/control/deploy"
	"neargate/control/expire"
	"neargate/control/loop"
	"neargate/control/meter"
	"neargate/control/place"
	"neargate/resource/billing"
)

// Tasks are the controllers of tasks and services. public is the installation's
// range of public addresses; zero: all there are.
func Tasks(now func() time.Time, ids *arn.Source, public netip.Prefix) []loop.Runner {
	return []loop.Runner{
		deploy.New(now, ids), place.Place(), place.Hosts(), attach.New(ids, public), meter.New(billing.DefaultTerms()),
		expire.Tasks(), expire.Services(), expire.Clusters(),
	}
}
