package shape

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Kind is what the codecs tell apart in a member's type.
type Kind uint8

// The kinds. A document is any JSON value, kept as json.RawMessage. Events is a
// stream of structures of which each has exactly one member.
const (
	String Kind = iota + 1
	Bool
	Integer
	Float
	Timestamp
	Blob
	Document
	Structure
	List
	Map
	Events
)

// TimeFormat is a Smithy timestamp format; "" leaves it to the protocol.
type TimeFormat string

// The timestamp formats.
const (
	DateTime     TimeFormat = "date-time"
	EpochSeconds TimeFormat = "epoch-seconds"
	HTTPDate     TimeFormat = "http-date"
)

// Plan is a structure as the codecs see it: tags parsed, names and orders worked
// out. A plan never changes once [Plans.Of] has returned it.
type Plan struct {
	Type    reflect.Type
	Members []*Member // in the model's order
	Sorted  []*Member // those of the body, by name
	Payload *Member   // the member that is the whole body; nil for none
	Stream  *Member   // the stream of events, which is none of the members; nil for none
	byName  map[string]*Member
	byForm  map[string]*Member
	form    uintptr // where its Form is, which is never first; 0: it has none
}

// Member is one member of a structure.
type Member struct {
	Value
	Index     int    // field of the struct
	Name      string // name in the model and in JSON
	JSONKey   string // the name quoted, with its colon
	Form      string // name in awsQuery requests
	EC2       string // name in ec2Query requests
	XML       string // element name in answers
	Item      string // element name of list members as tagged; "" for the protocol's default
	Flat      bool   // list or map without a wrapper
	Place     Place  // where in HTTP it stands
	At        string // its name there; "" in the body
	Required  bool
	Sensitive bool // never echoed
	Token     bool // idempotency token
	Rules     Rules
	Each      Rules // for a list's elements or a map's values
	Key       Rules // for a map's keys
	offset    uintptr
}

// Place is a part of an HTTP message.
type Place string

// The places of members. A label is a segment of the path. Params are the parameters
// of the query that no other member has. A payload is the whole body.
const (
	Body       Place = ""
	Label      Place = "label"
	InURL      Place = "query"
	Params     Place = "params"
	Header     Place = "header"
	Payload    Place = "payload"
	StatusCode Place = "status"
)

// Value is the type of a member, a list element or a map value.
type Value struct {
	Kind      Kind
	Type      reflect.Type // without the pointer
	Pointer   bool
	Format    TimeFormat
	Union     bool   // a structure of which exactly one member is present
	Elem      *Value // of a list or map
	Structure *Plan
	header    header
	width     uintptr // of the value in memory
	stride    uintptr // from one to the next in a list
}

// Plans compiles struct types to plans, each type once. It is meant for start-up:
// Of is not safe for concurrent use, the plans it returns are.
type Plans struct {
	plans map[reflect.Type]*Plan
}

// NewPlans returns an empty set.
func NewPlans() *Plans { return &Plans{plans: map[reflect.Type]*Plan{}} }

// Of returns the plan of struct type t. It panics on a type or tag outside the
// package's contract: types are generated, so that is a mistake in the program.
func (p *Plans) Of(t reflect.Type) *Plan {
	if plan, ok := p.plans[t]; ok {
		return plan
	}
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("shape: %v is not a struct", t))
	}
	plan := &Plan{Type: t, byName: map[string]*Member{}, byForm: map[string]*Member{}}
	p.plans[t] = plan // before the members, which may be of the same type
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == reflect.TypeFor[*Form]() {
			if plan.form = f.Offset; plan.form == 0 {
				panic(fmt.Sprintf("shape: the Form of %v comes first", t))
			}
		}
		if !f.IsExported() || f.Tag.Get("aws") == "" {
			continue
		}
		m := p.member(f)
		m.Index, m.offset = i, f.Offset
		if m.Kind == Events {
			plan.Stream = m
			continue
		}
		plan.Members = append(plan.Members, m)
		plan.byName[m.Name] = m
		plan.byForm[m.Form] = m
		if m.EC2 != m.Form {
			plan.byForm[m.EC2] = m
		}
		switch m.Place {
		case Body:
			plan.Sorted = append(plan.Sorted, m)
		case Payload:
			plan.Payload = m
		}
	}
	slices.SortFunc(plan.Sorted, func(a, b *Member) int { return strings.Compare(a.Name, b.Name) })
	return plan
}

// ByName finds a member by its model name, which is case-sensitive.
func (p *Plan) ByName(name []byte) *Member { return p.byName[string(name)] }

// ByForm finds a member by its name in requests of the query protocol given.
func (p *Plan) ByForm(protocol Protocol, name string) *Member {
	m := p.byForm[name]
	if m == nil || m.FormName(protocol) != name {
		return nil
	}
	return m
}

// ByXML finds a member of the body by its element's name.
func (p *Plan) ByXML(name string) *Member {
	for _, m := range p.Members {
		if m.XML == name && m.Place == Body {
			return m
		}
	}
	return nil
}

// FormName is the member's name in requests of the query protocol given.
func (m *Member) FormName(protocol Protocol) string {
	if protocol == EC2 {
		return m.EC2
	}
	return m.Form
}

func (p *Plans) member(f reflect.StructField) *Member {
	name, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
	m := &Member{Name: name, Value: p.value(f.Type)}
	key, _ := json.Marshal(name)
	m.JSONKey = string(key) + ":"
	m.Form = first(f.Tag.Get("form"), name)
	m.EC2 = first(f.Tag.Get("form"), strings.ToUpper(name[:min(1, len(name))])+name[min(1, len(name)):])
	m.XML = first(f.Tag.Get("xml"), name)
	m.Item = f.Tag.Get("item")
	place, at, _ := strings.Cut(f.Tag.Get("http"), "=")
	switch m.Place, m.At = Place(place), at; m.Place {
	case Body, Label, InURL, Params, Header, Payload, StatusCode:
	default:
		panic(fmt.Sprintf("shape: %s has no place in HTTP", f.Name))
	}
	m.Rules = parseRules(options, f.Tag, "")
	m.Each = parseRules(f.Tag.Get("each"), f.Tag, "each")
	m.Key = parseRules(f.Tag.Get("key"), f.Tag, "key")
	for option := range strings.SplitSeq(options, ",") {
		switch word, arg, _ := strings.Cut(option, "="); word {
		case "required":
			m.Required = true
		case "sensitive":
			m.Sensitive = true
		case "idem":
			m.Token = true
		case "flat":
			m.Flat = true
		case "union":
			m.Union = true
		case "stream":
			if m.Kind != Events {
				panic(fmt.Sprintf("shape: %s is no stream", f.Name))
			}
		case "ts":
			for v := &m.Value; v != nil; v = v.Elem {
				v.Format = TimeFormat(arg)
			}
		case "", "len", "range", "enum":
		default:
			panic(fmt.Sprintf("shape: unknown option %q of %s", word, f.Name))
		}
	}
	if m.Elem != nil {
		m.Elem.Union = slices.Contains(strings.Split(f.Tag.Get("each"), ","), "union")
	}
	return m
}

func (p *Plans) value(t reflect.Type) Value {
	v := p.kind(t)
	v.header, v.width, v.stride = headerOf(&v), v.Type.Size(), t.Size()
	return v
}

func (p *Plans) kind(t reflect.Type) Value {
	v := Value{Type: t}
	if t.Kind() == reflect.Pointer {
		v.Pointer, v.Type = true, t.Elem()
	}
	switch k := v.Type.Kind(); {
	case v.Type == reflect.TypeFor[time.Time]():
		v.Kind = Timestamp
	case v.Type == reflect.TypeFor[json.RawMessage]():
		v.Kind = Document
	case k == reflect.String:
		v.Kind = String
	case k == reflect.Bool:
		v.Kind = Bool
	case k == reflect.Int32 || k == reflect.Int64 || k == reflect.Int16 || k == reflect.Int8:
		v.Kind = Integer
	case k == reflect.Float32 || k == reflect.Float64:
		v.Kind = Float
	case k == reflect.Slice && v.Type.Elem().Kind() == reflect.Uint8:
		v.Kind = Blob
	case k == reflect.Slice:
		v.Kind, v.Elem = List, new(p.value(v.Type.Elem()))
	case k == reflect.Map && v.Type.Key().Kind() == reflect.String:
		v.Kind, v.Elem = Map, new(p.value(v.Type.Elem()))
	case k == reflect.Struct:
		v.Kind, v.Structure = Structure, p.Of(v.Type)
	case k == reflect.Func && v.Type.CanSeq2():
		v.Kind, v.Structure = Events, p.Of(v.Type.In(0).In(0).Elem())
	default:
		panic(fmt.Sprintf("shape: no wire form for %v", t))
	}
	return v
}

// Absent reports whether field, a member's value in its struct, is not there.
func (v *Value) Absent(field reflect.Value) bool {
	switch field.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return field.IsNil()
	}
	return false
}

// Settable returns the place in field to write a present value to: field itself,
// or what its pointer, made new, points to.
func (v *Value) Settable(field reflect.Value) reflect.Value {
	if !v.Pointer {
		return field
	}
	p := reflect.New(v.Type)
	field.Set(p)
	return p.Elem()
}

// TimeOf reads a time.Time from v, without the copy to the heap that Interface
// costs where v can be addressed.
func TimeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
