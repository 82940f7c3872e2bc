package form

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/wire/shape"
)

// maxGap is how many list elements an index may skip.
const maxGap = 10

// ReadQuery fills the struct dst points to from an awsQuery request. Parameters
// that the operation does not have are ignored; of equal names the last counts.
// What cannot be read is answered with MalformedInput.
func ReadQuery(pairs []Pair, p *shape.Plan, dst any) error {
	root, err := tree(pairs)
	if err != nil {
		return err
	}
	return queryStructure(p, root, reflect.ValueOf(dst).Elem())
}

func malformed(format string, args ...any) error {
	return shape.Errorf("MalformedInput", format, args...)
}

func queryStructure(p *shape.Plan, n *node, dst reflect.Value) error {
	for _, name := range n.names {
		m := p.ByForm(shape.Query, name)
		if m == nil || n.path == "" && (name == "Action" || name == "Version") {
			continue
		}
		if err := queryMember(m, n.kids[name], dst.Field(m.Index)); err != nil {
			return err
		}
	}
	return nil
}

func queryMember(m *shape.Member, n *node, field reflect.Value) error {
	switch m.Kind {
	case shape.List:
		return queryList(m, n, field)
	case shape.Map:
		return queryMap(m, n, field)
	}
	return queryValue(&m.Value, n, field)
}

// queryValue reads anything but a list or map, which nest only as members.
func queryValue(t *shape.Value, n *node, field reflect.Value) error {
	switch {
	case t.Kind == shape.Structure && n.kids != nil:
		return queryStructure(t.Structure, n, t.Settable(field))
	case t.Kind == shape.Structure || len(n.values) == 0:
		return nil
	}
	return queryScalar(t, n.values[len(n.values)-1], t.Settable(field))
}

func queryList(m *shape.Member, n *node, field reflect.Value) error {
	items, empty, err := queryItems(n, m.Flat, itemName(m))
	if err != nil || items == nil {
		if empty {
			field.Set(reflect.MakeSlice(m.Type, 0, 0))
		}
		return err
	}
	last := items[len(items)-1].index
	list := reflect.MakeSlice(m.Type, last, last)
	at := 0
	for _, item := range items {
		// A skipped structure stays empty and fails as such; a skipped scalar
		// could not be told from an empty one.
		if at++; item.index != at && m.Elem.Kind != shape.Structure {
			return shape.Errorf("ValidationError", "1 validation error detected: Value null at '%s.%d.member' failed to satisfy constraint: Member must not be null",
				strings.ToLower(m.Name[:1])+m.Name[1:], at)
		}
		at = item.index
		if err := queryValue(m.Elem, item.node, list.Index(at-1)); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

func queryMap(m *shape.Member, n *node, field reflect.Value) error {
	items, empty, err := queryItems(n, m.Flat, "entry")
	if err != nil || items == nil {
		if empty {
			field.Set(reflect.MakeMap(m.Type))
		}
		return err
	}
	out := reflect.MakeMapWithSize(m.Type, len(items))
	for _, item := range items {
		key := item.node.kids["key"]
		if key == nil || len(key.values) == 0 {
			return malformed("%s has no key", item.node.path)
		}
		elem := reflect.New(m.Type.Elem()).Elem()
		if value := item.node.kids["value"]; value != nil {
			if err := queryValue(m.Elem, value, elem); err != nil {
				return err
			}
		}
		out.SetMapIndex(reflect.ValueOf(key.values[len(key.values)-1]).Convert(m.Type.Key()), elem)
	}
	field.Set(out)
	return nil
}

func itemName(m *shape.Member) string {
	if m.Item != "" {
		return m.Item
	}
	return "member"
}

type indexed struct {
	index int
	node  *node
}

// queryItems returns the elements of a list or map in the order of their indexes,
// which start at 1. A name with an empty value and nothing below is an empty list.
func queryItems(n *node, flat bool, item string) (items []indexed, empty bool, err error) {
	holder := n
	if !flat {
		holder = n.kids[item]
	}
	if holder == nil || holder.kids == nil {
		if len(n.values) > 0 && n.values[len(n.values)-1] != "" {
			return nil, false, malformed("Value found where not expected")
		}
		return nil, len(n.values) > 0, nil
	}
	for _, name := range holder.names {
		switch {
		case !isDigits(name):
			return nil, false, malformed("Start of list found where not expected")
		case name == "0":
			return nil, false, malformed("0 is not a valid index")
		case len(name) > 9:
			return nil, false, malformed("Index %s is illegal", name)
		}
		index, _ := strconv.Atoi(name)
		items = append(items, indexed{index, holder.kids[name]})
	}
	slices.SortFunc(items, func(a, b indexed) int { return a.index - b.index })
	previous := 1
	for _, item := range items {
		if skip := item.index - previous; skip > maxGap {
			return nil, false, malformed("Excessively sparse input would skip %d list elements", skip)
		}
		previous = item.index
	}
	return items, false, nil
}

func queryScalar(t *shape.Value, s string, dst reflect.Value) error {
	switch t.Kind {
	case shape.Bool:
		switch s {
		case "true", "1":
			dst.SetBool(true)
		case "false", "0":
		case "":
			return malformed("missing value for boolean type")
		default:
			return malformed("boolean must follow xsd1.1 definition")
		}
		return nil
	case shape.Integer:
		n, err := strconv.ParseInt(s, 10, t.Type.Bits())
		if err != nil {
			return malformed("STRING_VALUE can not be converted to an Integer")
		}
		dst.SetInt(n)
		return nil
	}
	if what := setScalar(t, s, dst); what != "" {
		return malformed("STRING_VALUE can not be converted to %s", what)
	}
	return nil
}

// setScalar sets the kinds that both protocols read alike. It returns what s
// could not be read as, "" when it could.
func setScalar(t *shape.Value, s string, dst reflect.Value) (what string) {
	switch t.Kind {
	case shape.String:
		dst.SetString(s)
	case shape.Float:
		f, err := strconv.ParseFloat(s, t.Type.Bits())
		if err != nil || strings.ContainsAny(s, "xX_") {
			return "a Double"
		}
		dst.SetFloat(f)
	case shape.Timestamp:
		at, err := parseTime(s, t.Format)
		if err != nil || at.Year() > 9999 {
			return "milliseconds since epoch"
		}
		dst.Set(reflect.ValueOf(at))
	case shape.Blob:
		blob, err := base64.StdEncoding.AppendDecode([]byte{}, []byte(s))
		if err != nil {
			return "a Blob"
		}
		dst.SetBytes(blob)
	default:
		return fmt.Sprintf("a parameter of type %v", t.Type)
	}
	return ""
}

func parseTime(s string, format shape.TimeFormat) (time.Time, error) {
	switch format {
	case shape.EpochSeconds:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f < 1e12) {
			return time.Time{}, strconv.ErrRange
		}
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	case shape.HTTPDate:
		return http.ParseTime(s)
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	return at.UTC(), err
}
