package insights

import (
	"strings"

	"neargate/resource/logs"
	"neargate/service/logs/insights/expr"
)

// Event is a log event and where it comes from.
type Event struct {
	logs.Event
	Log        string // ACCOUNT:GROUP
	StreamName string
}

// row is a record on its way through the commands: a log event with the fields
// that were added to it, or a group that stats made.
type row struct {
	event  *Event // nil for a group
	tree   any    // the message, if it is JSON
	parsed bool   // tree is known
	added  map[string]expr.Value
}

func (r *row) set(name string, v expr.Value) {
	if r.added == nil {
		r.added = map[string]expr.Value{}
	}
	r.added[name] = v
}

// Field implements expr.Record: fields added by commands come before the event's
// own, and these before what its JSON message holds.
func (r *row) Field(name string) expr.Value {
	if v, ok := r.added[name]; ok {
		return v
	}
	if len(r.added) > 0 {
		for i := 0; i < len(name); i++ {
			if name[i] != '.' {
				continue
			}
			if v, ok := r.added[name[:i]]; ok {
				return v.Field(name[i+1:])
			}
		}
	}
	if r.event == nil {
		return expr.Value{}
	}
	switch name {
	case "@message":
		return expr.String(r.event.Message)
	case "@timestamp":
		return expr.Millis(r.event.At.Time)
	case "@ingestionTime":
		return expr.Millis(r.event.At.Ingested())
	case "@logStream":
		return expr.String(r.event.StreamName)
	case "@log":
		return expr.String(r.event.Log)
	}
	return r.discovered(name)
}

// discovered is a leaf of a JSON message. Names there that begin with @ have
// another one in front.
func (r *row) discovered(name string) expr.Value {
	if at, ok := strings.CutPrefix(name, "@"); ok {
		if !strings.HasPrefix(at, "@") {
			return expr.Value{}
		}
		name = at
	}
	if !r.parsed {
		r.tree, r.parsed = Discover(r.event.Message), true
	}
	if r.tree == nil {
		return expr.Value{}
	}
	found, _ := expr.Lookup(r.tree, name)
	if v := expr.FromJSON(found); v.Kind() != expr.Tree {
		return v
	}
	return expr.Value{}
}

// Discover is the content of a message that is a JSON object, else nil.
func Discover(message string) any {
	tree, _ := expr.ParseJSON(message)
	if _, ok := tree.(map[string]any); !ok {
		return nil
	}
	return tree
}

// FieldName is the name under which a leaf of a JSON message is known.
func FieldName(path string) string {
	if strings.HasPrefix(path, "@") {
		return "@" + path
	}
	return path
}

// clone is a row that can be changed apart.
func (r *row) clone() *row {
	c := *r
	c.added = make(map[string]expr.Value, len(r.added)+1)
	for k, v := range r.added {
		c.added[k] = v
	}
	return &c
}

// size is about how much memory a kept row takes.
func (r *row) size() int64 {
	n := int64(rowOverhead)
	if r.event != nil {
		n += int64(len(r.event.Message))
	}
	for k, v := range r.added {
		n += int64(len(k)+len(v.Text())) + valueOverhead
	}
	return n
}

const (
	rowOverhead   = 200
	valueOverhead = 100
)
