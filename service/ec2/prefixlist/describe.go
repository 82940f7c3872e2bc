package prefixlist

import (
	"context"
	"fmt"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

var filters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"owner-id": "OwnerId", "prefix-list-id": "PrefixListId", "prefix-list-name": "PrefixListName",
}}

// DescribeManagedPrefixLists lists the caller's prefix lists and those of AWS.
func (s *Handler) DescribeManagedPrefixLists(ctx context.Context, in *wire.DescribeManagedPrefixListsInput) (*wire.DescribeManagedPrefixListsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.ManagedPrefixList](filters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if len(in.PrefixListIds) > 0 && (in.MaxResults != nil || in.NextToken != nil) {
		return nil, shape.Errorf("InvalidParameterCombination", "The parameter PrefixListIds cannot be used with the parameter MaxResults or NextToken")
	}
	out := &wire.DescribeManagedPrefixListsOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		all, err := s.chosen(sc, in.PrefixListIds)
		if err != nil {
			return err
		}
		shown := []wire.ManagedPrefixList{}
		for _, l := range all {
			if w := render(&l); match(&w) {
				shown = append(shown, w)
			}
		}
		out.PrefixLists, out.NextToken, err = call.Cut(s.Env, sc, "DescribeManagedPrefixLists", in.MaxResults, in.NextToken, shown,
			func(w *wire.ManagedPrefixList) string { return *w.PrefixListId })
		return err
	})
	return out, err
}

// chosen are the lists with the ids, or all, in order of id.
func (s *Handler) chosen(sc call.Scope, ids []string) ([]edge.PrefixList, error) {
	account, region := sc.Tenant()
	var all []edge.PrefixList
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		l, err := s.any(sc, id)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if len(ids) == 0 {
		own, err := store.Collect(edges.PrefixLists.List(sc.Tx, account, region))
		if err != nil {
			return nil, err
		}
		all = append(edge.AmazonPrefixLists(region, s.PublicRange()), own...)
	}
	slices.SortFunc(all, func(a, b edge.PrefixList) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// GetManagedPrefixListEntries lists the entries of a version of a list.
func (s *Handler) GetManagedPrefixListEntries(ctx context.Context, in *wire.GetManagedPrefixListEntriesInput) (*wire.GetManagedPrefixListEntriesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.PrefixListId == nil {
		return nil, call.Missing("PrefixListId")
	}
	out := &wire.GetManagedPrefixListEntriesOutput{}
	err := s.View(ctx, func(sc call.Scope) error {
		l, err := s.any(sc, *in.PrefixListId)
		if err != nil {
			return err
		}
		entries := l.Entries
		if in.TargetVersion != nil {
			if entries, err = version(&l, *in.TargetVersion); err != nil {
				return err
			}
		}
		shown := []wire.PrefixListEntry{}
		for _, e := range entries {
			shown = append(shown, wire.PrefixListEntry{Cidr: &e.CIDR, Description: call.Optional(e.Description)})
		}
		out.Entries, out.NextToken, err = call.Cut(s.Env, sc, "GetManagedPrefixListEntries", in.MaxResults, in.NextToken, shown,
			func(w *wire.PrefixListEntry) string { return *w.Cidr }, l.ID, fmt.Sprint(call.Val(in.TargetVersion)))
		return err
	})
	return out, err
}

// GetManagedPrefixListAssociations lists what refers to a list.
func (s *Handler) GetManagedPrefixListAssociations(ctx context.Context, in *wire.GetManagedPrefixListAssociationsInput) (*wire.GetManagedPrefixListAssociationsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.PrefixListId == nil {
		return nil, call.Missing("PrefixListId")
	}
	out := &wire.GetManagedPrefixListAssociationsOutput{}
	err := s.View(ctx, func(sc call.Scope) error {
		l, err := s.any(sc, *in.PrefixListId)
		if err != nil {
			return err
		}
		users, err := associations(sc, l.ID)
		if err != nil {
			return err
		}
		account, _ := sc.Tenant()
		shown := []wire.PrefixListAssociation{}
		for _, id := range users {
			shown = append(shown, wire.PrefixListAssociation{ResourceId: new(id), ResourceOwner: &account})
		}
		out.PrefixListAssociations, out.NextToken, err = call.Cut(s.Env, sc, "GetManagedPrefixListAssociations", in.MaxResults, in.NextToken, shown,
			func(w *wire.PrefixListAssociation) string { return *w.ResourceId }, l.ID)
		return err
	})
	return out, err
}

// associations are the ids of the route tables and security groups that refer to
// the list, in order.
func associations(sc call.Scope, id string) ([]string, error) {
	account, region := sc.Tenant()
	var out []string
	for t, err := range tables.RouteTables.List(sc.Tx, account, region) {
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(t.Routes, refers(id)) {
			out = append(out, t.ID)
		}
	}
	for r, err := range tables.SecurityGroupRules.List(sc.Tx, account, region) {
		if err != nil {
			return nil, err
		}
		if r.PrefixList == id && !slices.Contains(out, r.Group) {
			out = append(out, r.Group)
		}
	}
	slices.Sort(out)
	return out, nil
}
