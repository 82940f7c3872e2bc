package loop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"neargate/store"
)

// Graph prints which key spaces wake which controllers and what these may write,
// as a Markdown page with a Mermaid diagram and a table. Indexes a controller
// writes together with their table are folded into it.
func Graph(controllers ...Runner) string {
	all := make([]Description, len(controllers))
	for i, c := range controllers {
		all[i] = c.Describe()
	}
	slices.SortFunc(all, func(a, b Description) int { return cmp.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart LR\n")
	ids := map[string]string{}
	space := func(name string) string {
		id, ok := ids[name]
		if !ok {
			id = fmt.Sprintf("s%d", len(ids))
			ids[name] = id
			fmt.Fprintf(&b, "  %s[(\"%s\")]\n", id, name)
		}
		return id
	}
	for i, d := range all {
		fmt.Fprintf(&b, "  c%d([\"%s\"])\n", i, d.Name)
		for _, in := range spaces(d.Inputs, false) {
			fmt.Fprintf(&b, "  %s --> c%d\n", space(in), i)
		}
		for _, out := range spaces(d.Outputs, true) {
			fmt.Fprintf(&b, "  c%d ==> %s\n", i, space(out))
		}
	}
	b.WriteString("```\n\n| controller | woken by | writes |\n|---|---|---|\n")
	for _, d := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.Name,
			strings.Join(spaces(d.Inputs, false), ", "), strings.Join(spaces(d.Outputs, true), ", "))
	}
	return b.String()
}

// spaces names key spaces by their prefixes, sorted and without repetition.
func spaces(prefixes []string, fold bool) []string {
	var out []string
	for _, p := range prefixes {
		name, _ := store.Segments(p)
		if fold {
			name, _, _ = strings.Cut(name, "@")
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
