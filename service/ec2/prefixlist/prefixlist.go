// Package prefixlist answers Amazon EC2's operations on managed prefix lists.
package prefixlist

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Limits. Source: Amazon VPC User Guide, managed prefix lists; Amazon VPC quotas.
const (
	maxLists       = 100  // of a region
	maxEntries     = 1000 // of a list
	maxChanges     = 100  // entries of one request
	maxVersions    = 1000
	maxName        = 255
	maxDescription = 255
	// maxKept is how many entries the old versions of a list have together; the
	// oldest versions go first.
	maxKept  = 10000
	reserved = "com.amazonaws"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }

// CreateManagedPrefixList makes a prefix list.
func (s *Handler) CreateManagedPrefixList(ctx context.Context, in *wire.CreateManagedPrefixListInput) (*wire.CreateManagedPrefixListOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := checkCreation(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.PrefixLists.Type)
	if err != nil {
		return nil, err
	}
	token, key, err := call.Token(in.ClientToken)
	if err != nil {
		return nil, err
	}
	hash, err := call.Hash(in.PrefixListName, in.AddressFamily, in.MaxEntries, in.Entries, tags)
	if err != nil {
		return nil, err
	}
	l := edge.PrefixList{
		ID: s.Deps.IDs.EC2(call.PrefixLists.Prefix), Name: *in.PrefixListName, Family: *in.AddressFamily,
		MaxEntries: int(*in.MaxEntries), Version: 1, Tags: tags,
	}
	if key != "" {
		l.Token, l.TokenHash = key, hash
	}
	if err := add(&l, in.Entries); err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		l.Account, l.Region = sc.Tenant()
		all, err := store.Collect(edges.PrefixLists.List(sc.Tx, l.Account, l.Region))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(o edge.PrefixList) bool { return key != "" && o.Token == key }); i >= 0 {
			if all[i].TokenHash != hash {
				return call.Mismatch(token)
			}
			l = all[i]
			return nil
		}
		if len(all) >= maxLists {
			return shape.Errorf("PrefixListLimitExceeded", "The maximum number of prefix lists has been reached.")
		}
		return edges.PrefixLists.Put(sc.Tx, &l)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateManagedPrefixListOutput{PrefixList: new(render(&l))}, nil
}

func checkCreation(in *wire.CreateManagedPrefixListInput) error {
	switch {
	case call.Val(in.PrefixListName) == "":
		return call.Missing("PrefixListName")
	case in.MaxEntries == nil:
		return call.Missing("MaxEntries")
	case in.AddressFamily == nil:
		return call.Missing("AddressFamily")
	case *in.AddressFamily != "IPv4" && *in.AddressFamily != "IPv6":
		return call.Invalid("Value (%s) for parameter AddressFamily is invalid. Valid values are IPv4 and IPv6.", *in.AddressFamily)
	}
	if err := checkName(*in.PrefixListName); err != nil {
		return err
	}
	return checkMax(*in.MaxEntries)
}

func checkName(name string) error {
	switch {
	case strings.HasPrefix(name, reserved):
		return call.Invalid("The prefix list name cannot start with %s.", reserved)
	case utf8.RuneCountInString(name) > maxName:
		return call.Invalid("The prefix list name cannot be longer than %d characters.", maxName)
	}
	return nil
}

func checkMax(n int32) error {
	if n < 1 || n > maxEntries {
		return call.Invalid("Value (%d) for parameter MaxEntries is invalid. Valid values are 1 to %d.", n, maxEntries)
	}
	return nil
}

// canonical is the prefix in the form that lists keep, if it is of the family.
func canonical(cidr *string, family string) (string, error) {
	p, err := netip.ParsePrefix(call.Val(cidr))
	if err != nil || p.Addr().Is4() != (family == "IPv4") || p.Addr().Is4In6() {
		return "", call.Invalid("Value (%s) for parameter Cidr is invalid. It must be a valid CIDR of the family %s.", call.Val(cidr), family)
	}
	return p.Masked().String(), nil
}

// add puts the entries into the list.
func add(l *edge.PrefixList, entries []wire.AddPrefixListEntry) error {
	if len(entries) > maxChanges {
		return call.Invalid("You can add up to %d entries at a time.", maxChanges)
	}
	for _, e := range entries {
		cidr, err := canonical(e.Cidr, l.Family)
		switch {
		case err != nil:
			return err
		case utf8.RuneCountInString(call.Val(e.Description)) > maxDescription:
			return call.Invalid("The description of a prefix list entry cannot be longer than %d characters.", maxDescription)
		case find(l, cidr) >= 0:
			return shape.Errorf("InvalidRequest", "The request received was invalid.")
		}
		l.Entries = append(l.Entries, edge.PrefixEntry{CIDR: cidr, Description: call.Val(e.Description)})
	}
	slices.SortFunc(l.Entries, func(a, b edge.PrefixEntry) int { return strings.Compare(a.CIDR, b.CIDR) })
	return full(l)
}

func full(l *edge.PrefixList) error {
	if len(l.Entries) > l.MaxEntries {
		return shape.Errorf("PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list.")
	}
	return nil
}

func find(l *edge.PrefixList, cidr string) int {
	return slices.IndexFunc(l.Entries, func(e edge.PrefixEntry) bool { return e.CIDR == cidr })
}

// own is the caller's list with the id; those of AWS cannot be changed.
func (s *Handler) own(sc call.Scope, id string) (edge.PrefixList, error) {
	_, region := sc.Tenant()
	if _, found := edge.AmazonPrefixList(region, s.PublicRange(), id); found {
		return edge.PrefixList{}, shape.Errorf("OperationNotPermitted", "The prefix list %s is managed by AWS and cannot be changed.", id)
	}
	return call.PrefixLists.Get(sc, id)
}

// any is the list with the id, of the caller or of AWS.
func (s *Handler) any(sc call.Scope, id string) (edge.PrefixList, error) {
	_, region := sc.Tenant()
	if l, found := edge.AmazonPrefixList(region, s.PublicRange(), id); found {
		return l, nil
	}
	return call.PrefixLists.Get(sc, id)
}

// ModifyManagedPrefixList changes a list's entries, which makes a new version, or
// its name or size.
func (s *Handler) ModifyManagedPrefixList(ctx context.Context, in *wire.ModifyManagedPrefixListInput) (*wire.ModifyManagedPrefixListOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	entries := len(in.AddEntries)+len(in.RemoveEntries) > 0
	switch {
	case in.PrefixListId == nil:
		return nil, call.Missing("PrefixListId")
	case entries && in.MaxEntries != nil:
		return nil, shape.Errorf("InvalidParameterCombination",
			"You cannot modify the entries of a prefix list and modify the size of a prefix list at the same time.")
	case entries && in.CurrentVersion == nil:
		return nil, call.Missing("CurrentVersion")
	case len(in.RemoveEntries) > maxChanges:
		return nil, call.Invalid("You can remove up to %d entries at a time.", maxChanges)
	}
	var out wire.ManagedPrefixList
	err := s.Update(ctx, func(sc call.Scope) error {
		l, err := s.own(sc, *in.PrefixListId)
		if err != nil {
			return err
		}
		if err := current(&l, in.CurrentVersion); err != nil {
			return err
		}
		if in.PrefixListName != nil {
			if err := checkName(*in.PrefixListName); err != nil {
				return err
			}
			l.Name = *in.PrefixListName
		}
		if in.MaxEntries != nil {
			l.MaxEntries = int(*in.MaxEntries)
			if err := checkMax(*in.MaxEntries); err != nil {
				return err
			}
			if err := full(&l); err != nil {
				return err
			}
		}
		if entries {
			if err := change(&l, in); err != nil {
				return err
			}
		}
		out = render(&l)
		return edges.PrefixLists.Put(sc.Tx, &l)
	})
	if err != nil {
		return nil, err
	}
	return &wire.ModifyManagedPrefixListOutput{PrefixList: &out}, nil
}

// current refuses a request that was made for another version.
func current(l *edge.PrefixList, version *int64) error {
	if version != nil && *version != l.Version {
		return shape.Errorf("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
	}
	return nil
}

// change takes entries out of the list and puts others in, as a new version.
func change(l *edge.PrefixList, in *wire.ModifyManagedPrefixListInput) error {
	next := *l
	next.Entries = slices.Clone(l.Entries)
	for _, r := range in.RemoveEntries {
		cidr, err := canonical(r.Cidr, l.Family)
		if err != nil {
			return err
		}
		for _, a := range in.AddEntries {
			if added, err := canonical(a.Cidr, l.Family); err == nil && added == cidr {
				return call.Invalid("Request cannot contain Cidr %s in both AddPrefixListEntries and RemovePrefixListEntries", cidr)
			}
		}
		i := find(&next, cidr)
		if i < 0 {
			return shape.Errorf("InvalidRequest", "The request received was invalid.")
		}
		next.Entries = slices.Delete(next.Entries, i, i+1)
	}
	if err := add(&next, in.AddEntries); err != nil {
		return err
	}
	succeed(l, next.Entries)
	return nil
}

// succeed gives the list a new version with the entries.
func succeed(l *edge.PrefixList, entries []edge.PrefixEntry) {
	l.Old = append(slices.Clip(l.Old), edge.PrefixVersion{Version: l.Version, Entries: l.Entries})
	l.Version, l.Entries = l.Version+1, entries
	kept := 0
	for i := len(l.Old) - 1; i >= 0; i-- {
		if kept += len(l.Old[i].Entries); kept > maxKept || len(l.Old)-i > maxVersions {
			l.Old = slices.Clone(l.Old[i+1:])
			return
		}
	}
}

// RestoreManagedPrefixListVersion gives a list the entries of an old version, as a
// new version.
func (s *Handler) RestoreManagedPrefixListVersion(ctx context.Context, in *wire.RestoreManagedPrefixListVersionInput) (*wire.RestoreManagedPrefixListVersionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.PrefixListId == nil:
		return nil, call.Missing("PrefixListId")
	case in.PreviousVersion == nil:
		return nil, call.Missing("PreviousVersion")
	case in.CurrentVersion == nil:
		return nil, call.Missing("CurrentVersion")
	}
	var out wire.ManagedPrefixList
	err := s.Update(ctx, func(sc call.Scope) error {
		l, err := s.own(sc, *in.PrefixListId)
		if err != nil {
			return err
		}
		if err := current(&l, in.CurrentVersion); err != nil {
			return err
		}
		entries, err := version(&l, *in.PreviousVersion)
		if err != nil {
			return err
		}
		next := l
		next.Entries = entries
		if err := full(&next); err != nil {
			return err
		}
		succeed(&l, entries)
		out = render(&l)
		return edges.PrefixLists.Put(sc.Tx, &l)
	})
	if err != nil {
		return nil, err
	}
	return &wire.RestoreManagedPrefixListVersionOutput{PrefixList: &out}, nil
}

// version is what the list was.
func version(l *edge.PrefixList, n int64) ([]edge.PrefixEntry, error) {
	if n == l.Version {
		return l.Entries, nil
	}
	for _, o := range l.Old {
		if o.Version == n {
			return o.Entries, nil
		}
	}
	return nil, shape.Errorf("PrefixListVersionNotFound", "The version %d of the prefix list %s does not exist.", n, l.ID)
}

// DeleteManagedPrefixList deletes a list that nothing refers to.
func (s *Handler) DeleteManagedPrefixList(ctx context.Context, in *wire.DeleteManagedPrefixListInput) (*wire.DeleteManagedPrefixListOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.PrefixListId == nil {
		return nil, call.Missing("PrefixListId")
	}
	var out wire.ManagedPrefixList
	err := s.Update(ctx, func(sc call.Scope) error {
		l, err := s.own(sc, *in.PrefixListId)
		if err != nil {
			return err
		}
		users, err := associations(sc, l.ID)
		switch {
		case err != nil:
			return err
		case len(users) > 0:
			return shape.Errorf("DependencyViolation", "The prefix list '%s' has dependencies and cannot be deleted.", l.ID)
		}
		out = render(&l)
		out.State = new("delete-complete")
		return edges.PrefixLists.Delete(sc.Tx, l.Account, l.Region, l.ID)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteManagedPrefixListOutput{PrefixList: &out}, nil
}

// amazon is the owner of AWS's lists.
const amazon = "AWS"

func render(l *edge.PrefixList) wire.ManagedPrefixList {
	w := wire.ManagedPrefixList{
		AddressFamily: &l.Family, OwnerId: &l.Account, PrefixListArn: new(arn.New("ec2", l.Region, strings.ToLower(l.Account), "prefix-list/"+l.ID)),
		PrefixListId: &l.ID, PrefixListName: &l.Name, State: new("create-complete"), Tags: tag.Listed(l.Tags),
	}
	if l.Account == amazon {
		return w
	}
	w.MaxEntries, w.Version = new(int32(l.MaxEntries)), new(l.Version)
	if l.Version > 1 {
		w.State = new("modify-complete")
	}
	return w
}

// refers reports whether the route is for the list.
func refers(id string) func(network.Route) bool {
	return func(r network.Route) bool { return r.PrefixList == id }
}
