package cloudtrail

import (
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

var (
	nameCharacters = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)
	nameEdge       = regexp.MustCompile(`^[A-Za-z0-9]$`)
	nameDoubled    = regexp.MustCompile(`[._-]{2}`)
)

// checkName refuses what cannot be the name of a trail.
// Source: AWS CloudTrail API Reference, CreateTrail.
func checkName(name string) error {
	refuse := func(why string) error { return api.InvalidTrailNameException(why) }
	n := strconv.Itoa(len(name))
	switch _, isAddress := netip.ParseAddr(name); {
	case name == "":
		return refuse("Trail name cannot be blank!")
	case len(name) < 3:
		return refuse("Trail name too short. Minimum allowed length: 3 characters. Specified name length: " + n + " characters.")
	case len(name) > 128:
		return refuse("Trail name too long. Maximum allowed length: 128 characters. Specified name length: " + n + " characters.")
	case !nameCharacters.MatchString(name):
		return refuse("Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).")
	case !nameEdge.MatchString(name[:1]):
		return refuse("Trail name must starts with a letter or number.")
	case !nameEdge.MatchString(name[len(name)-1:]):
		return refuse("Trail name must ends with a letter or number.")
	case nameDoubled.MatchString(name):
		return refuse("Trail name can not contain adjacent periods (.), underscores (_), or hyphens (-).")
	case isAddress == nil:
		return refuse("Trail name can not be in IP address format.")
	}
	return nil
}

// parse reads a trail given by name or ARN.
func parse(c auth.Caller, text string) (region, name string, err error) {
	if !arn.Is(text) {
		return c.Region, text, checkName(text)
	}
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(a.Resource, "trail/")
	switch {
	case err != nil, !ok, a.Service != "cloudtrail", !arn.KnownRegion(a.Region), a.Partition != arn.Partition(a.Region):
		return "", "", api.CloudTrailARNInvalidException("Invalid ARN: " + text)
	case a.Account != c.Account:
		return "", "", api.CloudTrailARNInvalidException("AccountID in ARN is wrong, you can only access resources with AccountID " + c.Account + ".")
	}
	return a.Region, name, checkName(name)
}

// unknown says that there is no such trail.
func unknown(c auth.Caller, region, name string) error {
	t := trail.Trail{Account: c.Account, Region: region, Name: name}
	return api.TrailNotFoundException("Unknown trail: " + t.ARN() + " for the user: " + c.Account)
}

// find finds a trail given by name or ARN.
func find(ctx context.Context, tx store.Tx, text string) (trail.Trail, error) {
	c := auth.CallerFrom(ctx)
	region, name, err := parse(c, text)
	if err != nil {
		return trail.Trail{}, err
	}
	t, ok, err := tables.Trails.Find(tx, c.Account, region, name)
	if err == nil && (!ok || !t.Covers(c.Region)) {
		err = unknown(c, region, name)
	}
	return t, err
}

// home finds a trail to change, which must be in its home region.
func home(ctx context.Context, tx store.Tx, text string) (trail.Trail, error) {
	t, err := find(ctx, tx, text)
	if c := auth.CallerFrom(ctx); err == nil && t.Region != c.Region {
		err = api.InvalidHomeRegionException("Trail " + t.ARN() + " can only be changed in its home region, " + t.Region + ", not in " + c.Region + ".")
	}
	return t, err
}

// change lets f change a trail and stores it.
func (s *Service) change(ctx context.Context, text string, f func(store.Tx, *trail.Trail) error) (t trail.Trail, err error) {
	return t, s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if t, err = home(ctx, tx, text); err != nil {
			return err
		}
		if err := f(tx, &t); err != nil {
			return err
		}
		return tables.Trails.Put(tx, &t)
	})
}

// view reads a trail.
func (s *Service) view(ctx context.Context, text string) (t trail.Trail, err error) {
	return t, s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		t, err = find(ctx, tx, text)
		return err
	})
}
