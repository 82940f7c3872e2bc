package definition

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// keys lists revisions of a status by family and revision without reading them:
// of one family, or of all when family is empty; after the index key after ("": from
// the start); at most limit (0: all).
func keys(tx store.Tx, account, region, status, family, after string, limit int) []ref.Definition {
	segments := []string{account, region, status}
	if family != "" {
		segments = append(segments, account, region, family)
	}
	var found []ref.Definition
	for key := range tx.List(store.Prefix(tables.TaskDefinitionsByStatus, segments...), after, limit) {
		_, s := store.Segments(key)
		n, err := strconv.Atoi(s[len(s)-1])
		if err != nil {
			continue // tables.Number wrote it
		}
		found = append(found, ref.Definition{Family: s[len(s)-2], Revision: n})
	}
	return found
}

// token is the position in a listing of revisions. It is readable, as ECS's is,
// and holds nothing that its reader may not list.
func token(d ref.Definition) string { return d.Family + "::" + tables.Number(d.Revision) }

// parseToken reads a token; no token is the zero position.
func parseToken(s *string) (ref.Definition, error) {
	if s == nil || *s == "" {
		return ref.Definition{}, nil
	}
	family, rev, ok := strings.Cut(*s, "::")
	n, err := strconv.Atoi(rev)
	if !ok || err != nil || n < 1 || tables.Number(n) != rev || !ref.ValidName(family) {
		return ref.Definition{}, check.BadToken()
	}
	return ref.Definition{Family: family, Revision: n}, nil
}

// ListTaskDefinitions lists the ARNs of revisions by family and revision.
func (h *Handler) ListTaskDefinitions(ctx context.Context, in *ecs.ListTaskDefinitionsInput) (*ecs.ListTaskDefinitionsOutput, error) {
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	if err := check.OneOf("status", in.Status, compute.Active, compute.Inactive, taskdef.DeleteInProgress); err != nil {
		return nil, err
	}
	if err := check.OneOf("sort", in.Sort, "ASC", "DESC"); err != nil {
		return nil, err
	}
	at, err := parseToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	status := compute.Active
	if in.Status != nil {
		status = *in.Status
	}
	c := auth.CallerFrom(ctx)
	var found []ref.Definition
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		if deref(in.Sort) == "DESC" {
			found = descending(keys(tx, c.Account, c.Region, status, deref(in.FamilyPrefix), "", 0), at, size+1)
			return nil
		}
		after := ""
		if at.Revision > 0 {
			after = store.Key(tables.TaskDefinitionsByStatus, c.Account, c.Region, status,
				c.Account, c.Region, at.Family, tables.Number(at.Revision))
		}
		found = keys(tx, c.Account, c.Region, status, deref(in.FamilyPrefix), after, size+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, last := check.Page(found, size)
	out := &ecs.ListTaskDefinitionsOutput{TaskDefinitionArns: []string{}}
	for _, d := range shown {
		out.TaskDefinitionArns = append(out.TaskDefinitionArns, taskdef.ARN(c.Account, c.Region, d.Family, d.Revision))
	}
	if last != nil {
		out.NextToken = new(token(*last))
	}
	return out, nil
}

// descending returns at most limit of the sorted revisions, last first, from
// before the position at (zero: from the end).
func descending(sorted []ref.Definition, at ref.Definition, limit int) []ref.Definition {
	end := len(sorted)
	if at.Revision > 0 {
		end, _ = slices.BinarySearchFunc(sorted, at, compare)
	}
	page := slices.Clone(sorted[max(0, end-limit):end])
	slices.Reverse(page)
	return page
}

func compare(a, b ref.Definition) int {
	if c := strings.Compare(a.Family, b.Family); c != 0 {
		return c
	}
	return a.Revision - b.Revision
}

// ListTaskDefinitionFamilies lists family names with a prefix.
func (h *Handler) ListTaskDefinitionFamilies(ctx context.Context, in *ecs.ListTaskDefinitionFamiliesInput) (*ecs.ListTaskDefinitionFamiliesOutput, error) {
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	if err := check.OneOf("status", in.Status, compute.Active, compute.Inactive, "ALL"); err != nil {
		return nil, err
	}
	prefix, status := deref(in.FamilyPrefix), deref(in.Status)
	if strings.Contains(prefix, store.Sep) {
		return nil, ecs.InvalidParameterException("Family contains invalid characters.")
	}
	c := auth.CallerFrom(ctx)
	scope := []string{c.Account, c.Region, "ListTaskDefinitionFamilies", status, prefix}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	space := []string{c.Account, c.Region}
	index := tables.Families.Name
	if status == compute.Active || status == compute.Inactive {
		index, space = tables.FamiliesByStatus, []string{c.Account, c.Region, status, c.Account, c.Region}
	}
	var names []string
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		names = nil
		after := ""
		if last != "" {
			after = store.Key(index, append(slices.Clone(space), last)...)
		}
		for key := range tx.List(store.Key(index, append(slices.Clone(space), prefix)...), after, size+1) {
			_, s := store.Segments(key)
			names = append(names, s[len(s)-1])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, end := check.Page(names, size)
	out := &ecs.ListTaskDefinitionFamiliesOutput{Families: append([]string{}, shown...)}
	if end != nil {
		out.NextToken = new(h.seal.Seal(*end, scope...))
	}
	return out, nil
}
