package shape_test

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/aws/budgets"
	"neargate/aws/ce"
	"neargate/aws/ec2"
	"neargate/aws/ecs"
	"neargate/aws/iam"
	"neargate/aws/logs"
	"neargate/aws/pricing"
	"neargate/aws/route53"
	"neargate/aws/sts"
	"neargate/wire/form"
	"neargate/wire/json"
	"neargate/wire/rest"
	"neargate/wire/shape"
	"neargate/wire/xml"
)

func services() []shape.Service {
	return []shape.Service{
		ecs.Describe(struct{ ecs.API }{}), ec2.Describe(struct{ ec2.API }{}), iam.Describe(struct{ iam.API }{}),
		logs.Describe(struct{ logs.API }{}), sts.Describe(struct{ sts.API }{}),
		budgets.Describe(struct{ budgets.API }{}), ce.Describe(struct{ ce.API }{}), pricing.Describe(struct{ pricing.API }{}),
		route53.Describe(struct{ route53.API }{}),
	}
}

// TestEveryOperationRoundTrips fills the input of every operation with all its
// members, writes it as a client would and reads it back; outputs must be well
// formed in their protocol.
func TestEveryOperationRoundTrips(t *testing.T) {
	plans := shape.NewPlans()
	for _, s := range services() {
		for _, op := range s.Operations {
			r := rand.New(rand.NewPCG(1, uint64(len(op.Name))))
			in, out, back := reflect.New(op.Input), reflect.New(op.Output), reflect.New(op.Input)
			inPlan, outPlan := plans.Of(op.Input), plans.Of(op.Output)
			fillStructure(r, inPlan, in.Elem(), 0)
			fillStructure(r, outPlan, out.Elem(), 0)
			var err error
			switch s.Protocol {
			case shape.JSON11, shape.JSON10:
				err = json.Read(json.Append(nil, inPlan, in.Interface()), inPlan, back.Interface())
				if e := json.Read(json.Append(nil, outPlan, out.Interface()), outPlan, reflect.New(op.Output).Interface()); e != nil {
					t.Errorf("%s: output: %v", op.Name, e)
				}
			case shape.Query:
				err = form.ReadQuery(parse(t, encode(s.Protocol, "", inPlan, in.Elem())), inPlan, back.Interface())
				wellFormed(t, op.Name, xml.AppendQuery(nil, &s, &op, "r", outPlan, out.Interface()))
			case shape.EC2:
				err = form.ReadEC2(parse(t, encode(s.Protocol, "", inPlan, in.Elem())), inPlan, back.Interface(), false)
				wellFormed(t, op.Name, xml.AppendEC2(nil, &s, op.Name, "r", outPlan, out.Interface()))
			case shape.XML:
				err = readRest(&s, &op, inPlan, in, back.Interface())
				wellFormed(t, op.Name, xml.AppendRest(nil, &s, op.Name, outPlan, out.Interface()))
			}
			if err != nil || !reflect.DeepEqual(in.Interface(), back.Interface()) {
				t.Errorf("%s: %v\nsent %s\nread %s", op.Name, err, json.Append(nil, inPlan, in.Interface()), json.Append(nil, inPlan, back.Interface()))
			}
		}
	}
}

// readRest writes a request as clients do, its body as answers are written, and
// reads it.
func readRest(s *shape.Service, op *shape.Operation, p *shape.Plan, in reflect.Value, back any) error {
	path, query := op.Path, url.Values{}
	for _, m := range p.Members {
		switch f := in.Elem().Field(m.Index); m.Place {
		case shape.Label:
			path = strings.ReplaceAll(path, "{"+m.At+"}", url.PathEscape(f.Elem().String()))
		case shape.InURL:
			query.Set(m.At, fmt.Sprint(f.Elem().Interface()))
		}
	}
	name, labels, ok := rest.NewRouter([]shape.Operation{*op}).Find(op.Method, path)
	if !ok || name != op.Name {
		return fmt.Errorf("nothing is at %s %s", op.Method, path)
	}
	if err := rest.Read(labels, query, nil, p, back); err != nil {
		return err
	}
	body := bytes.ReplaceAll(xml.AppendRest(nil, s, op.Name, p, in.Interface()), []byte(op.Name+"Response"), []byte(op.Name+"Request"))
	return xml.Read(body, op.Name+"Request", p, back)
}

const maxFill = 4

func fillStructure(r *rand.Rand, p *shape.Plan, v reflect.Value, depth int) {
	for _, m := range p.Members {
		if depth < maxFill || m.Kind != shape.Structure && m.Elem == nil {
			fill(r, &m.Value, v.Field(m.Index), depth)
		}
	}
}

func fill(r *rand.Rand, t *shape.Value, field reflect.Value, depth int) {
	v := t.Settable(field)
	switch t.Kind {
	case shape.String:
		v.SetString([]string{"plain", "ü<&>\"'\\ \t\n", "a+b%20=c&d"}[r.IntN(3)])
	case shape.Bool:
		v.SetBool(r.IntN(2) == 0)
	case shape.Integer:
		v.SetInt(int64(int32(r.Uint32())))
	case shape.Float:
		v.SetFloat(float64(r.IntN(1000)) / 8)
	case shape.Timestamp:
		v.Set(reflect.ValueOf(time.UnixMilli(1789551555000 + r.Int64N(1000)).UTC()))
	case shape.Blob:
		v.SetBytes([]byte{1, byte(r.IntN(256))})
	case shape.Document:
		v.SetBytes([]byte(`{"k":[1,null]}`))
	case shape.Structure:
		if t.Union {
			depth = 0 // the one member must be there, however deep
		}
		fillStructure(r, t.Structure, v, depth+1)
		if t.Union {
			for _, m := range t.Structure.Members[1:] {
				v.Field(m.Index).SetZero()
			}
		}
	case shape.List:
		v.Set(reflect.MakeSlice(t.Type, 2, 2))
		fill(r, t.Elem, v.Index(0), depth+1)
		fill(r, t.Elem, v.Index(1), depth+1)
	case shape.Map:
		elem := reflect.New(t.Type.Elem()).Elem()
		fill(r, t.Elem, elem, depth+1)
		v.Set(reflect.MakeMap(t.Type))
		v.SetMapIndex(reflect.ValueOf("key").Convert(t.Type.Key()), elem)
	}
}

// encode writes a query request as clients do.
func encode(protocol shape.Protocol, prefix string, p *shape.Plan, v reflect.Value) url.Values {
	out := url.Values{}
	for _, m := range p.Members {
		if f := v.Field(m.Index); !m.Absent(f) {
			holder := prefix + m.FormName(protocol)
			if protocol == shape.Query && m.Kind == shape.List && !m.Flat {
				if holder += ".member"; m.Item != "" {
					holder = prefix + m.FormName(protocol) + "." + m.Item
				}
			}
			encodeValue(out, protocol, holder, &m.Value, f)
		}
	}
	return out
}

func encodeValue(out url.Values, protocol shape.Protocol, name string, t *shape.Value, v reflect.Value) {
	if t.Pointer {
		v = v.Elem()
	}
	switch t.Kind {
	case shape.Structure:
		for k, values := range encode(protocol, name+".", t.Structure, v) {
			out[k] = values
		}
	case shape.List:
		for i := range v.Len() {
			encodeValue(out, protocol, fmt.Sprintf("%s.%d", name, i+1), t.Elem, v.Index(i))
		}
	case shape.Map:
		for i, k := range v.MapKeys() {
			out.Set(fmt.Sprintf("%s.entry.%d.key", name, i+1), k.String())
			encodeValue(out, protocol, fmt.Sprintf("%s.entry.%d.value", name, i+1), t.Elem, v.MapIndex(k))
		}
	case shape.Timestamp:
		out.Set(name, shape.TimeOf(v).Format("2006-01-02T15:04:05.000Z"))
	default:
		out.Set(name, fmt.Sprint(v.Interface()))
	}
}

func parse(t *testing.T, values url.Values) []form.Pair {
	pairs, err := form.Parse(values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func wellFormed(t *testing.T, op string, text []byte) {
	d := stdxml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v in\n%s", op, err, text)
			return
		}
	}
}
