package call

import "slices"

// Cut is a page of items that are not records of one table: those after the
// position that the token holds, at most limit. The items are in order of their
// ids. bound is what a token is tied to besides the caller and the operation.
func Cut[W any](s *Env, sc Scope, op string, limit *int32, token *string, items []W, id func(*W) string, bound ...string) ([]W, *string, error) {
	account, region := sc.Tenant()
	bound = append([]string{account, region, op}, bound...)
	after, err := OpenToken(s.Pages, token, bound)
	if err != nil {
		return nil, nil, err
	}
	if after != "" {
		i := slices.IndexFunc(items, func(w W) bool { return id(&w) > after })
		if i < 0 {
			i = len(items)
		}
		items = items[i:]
	}
	if limit == nil || len(items) <= int(*limit) {
		return items, nil, nil
	}
	items = items[:*limit]
	return items, new(s.Pages.Seal(id(&items[len(items)-1]), bound...)), nil
}
