// Package route53 answers Amazon Route 53: hosted zones, private ones with the VPCs
// that see them and public ones, their record sets, and tags.
//
// What the resolver of VPCs cannot honour is refused: health checks, traffic
// policies, and routing by latency, place, network and failover.
package route53

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/zones"
)

// Service is the Route 53 API.
type Service struct {
	deps  service.Deps
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Route 53 API.
func New(d service.Deps) *Service { return &Service{deps: d, pages: page.NewSealer(d.TokenKey)} }

// now is the time in the precision of Route 53.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Millisecond) }

// What ids stand behind in answers, and may in requests.
const (
	zonePath   = "/hostedzone/"
	changePath = "/change/"
)

// newID makes the id of a hosted zone or of a change.
func (s *Service) newID(prefix string) string {
	return prefix + "0" + s.deps.IDs.Digits(6) + s.deps.IDs.IAM("")[:13]
}

// find is a hosted zone of the caller's account.
func find(ctx context.Context, tx store.Tx, id string) (zone.Zone, error) {
	id = strings.TrimPrefix(id, zonePath)
	z, ok, err := zones.Zones.Find(tx, auth.CallerFrom(ctx).Account, id)
	if err == nil && !ok {
		err = api.NoSuchHostedZone("No hosted zone found with ID: " + id)
	}
	return z, err
}

// view reads a hosted zone.
func (s *Service) view(ctx context.Context, id string, f func(store.Tx, *zone.Zone) error) error {
	return s.deps.Store.View(ctx, func(tx store.Tx) error {
		z, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, &z)
	})
}

// update lets f change a hosted zone and stores it.
func (s *Service) update(ctx context.Context, id string, f func(store.Tx, *zone.Zone) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		z, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := f(tx, &z); err != nil {
			return err
		}
		return zones.Zones.Put(tx, &z)
	})
}

// Changes are kept for a while, so that they can be asked for; each new one drops
// some of the oldest.
const (
	keepChanges = 30 * 24 * time.Hour
	dropAtOnce  = 16
)

// note records a change that a transaction makes. It shows as pending: it is in sync
// when the transaction is committed, since resolvers read the store.
func (s *Service) note(ctx context.Context, tx store.Tx, id, comment string) (*api.ChangeInfo, error) {
	c := zone.Change{Account: auth.CallerFrom(ctx).Account, ID: id, Comment: comment, SubmittedAt: s.now()}
	var old []string
	for o, err := range zones.Changes.ByPage(tx, zones.ByTime, []string{c.Account}, "", dropAtOnce) {
		if err != nil {
			return nil, err
		}
		if o.SubmittedAt.Before(c.SubmittedAt.Add(-keepChanges)) {
			old = append(old, o.ID)
		}
	}
	for _, id := range old {
		if err := zones.Changes.Delete(tx, c.Account, id); err != nil {
			return nil, err
		}
	}
	return info(&c, "PENDING"), zones.Changes.Put(tx, &c)
}

func info(c *zone.Change, status string) *api.ChangeInfo {
	return &api.ChangeInfo{Id: new(changePath + c.ID), Status: &status, SubmittedAt: &c.SubmittedAt, Comment: text(c.Comment)}
}

// GetChange shows a change.
func (s *Service) GetChange(ctx context.Context, in *api.GetChangeInput) (*api.GetChangeOutput, error) {
	id := strings.TrimPrefix(*in.Id, changePath)
	out := &api.GetChangeOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		c, ok, err := zones.Changes.Find(tx, auth.CallerFrom(ctx).Account, id)
		if err == nil && !ok {
			err = api.NoSuchChange("Could not find resource with ID: " + id)
		}
		out.ChangeInfo = info(&c, "INSYNC")
		return err
	})
	return out, err
}

// maxItems reads how long a page may be, at most most.
func maxItems(given *string, most int) (int, error) {
	if given == nil {
		return most, nil
	}
	n, err := strconv.Atoi(*given)
	if err != nil || n < 1 {
		return 0, api.InvalidInput("Invalid value '" + *given + "' for MaxItems: it must be a positive number")
	}
	return min(n, most), nil
}

// items is a page's length as answers have it.
func items(n int) *string { return new(strconv.Itoa(n)) }

// domainName reads the name of a zone.
func domainName(name string) (string, error) {
	canonical, err := zone.Canonical(name)
	if _, ok := errors.AsType[*zone.NameError](err); ok {
		return "", api.InvalidDomainName(err.Error())
	}
	return canonical, err
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// text is nil for "".
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
