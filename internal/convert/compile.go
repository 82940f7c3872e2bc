package convert

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// step converts src into dst, which is settable and of the type it was compiled for.
type step func(dst, src reflect.Value) error

type pairKey struct{ dst, src reflect.Type }

// compiler builds steps. Pairs under construction are in the table before their
// step is known, which is what lets recursive types refer to themselves.
type compiler struct {
	steps map[pairKey]*step
}

func newCompiler() *compiler { return &compiler{steps: map[pairKey]*step{}} }

func (c *compiler) pair(dst, src reflect.Type) (step, error) {
	if dst == src && isPlain(dst) {
		return set, nil
	}
	key := pairKey{dst, src}
	if s, ok := c.steps[key]; ok {
		return func(d, v reflect.Value) error { return (*s)(d, v) }, nil
	}
	slot := new(step)
	c.steps[key] = slot
	s, err := c.build(dst, src)
	if err != nil {
		return nil, err
	}
	*slot = s
	return s, nil
}

func (c *compiler) build(dst, src reflect.Type) (step, error) {
	dk, sk := dst.Kind(), src.Kind()
	switch {
	case dk == reflect.Pointer && sk == reflect.Pointer:
		return c.pointers(dst, src)
	case sk == reflect.Pointer:
		return c.fromPointer(dst, src)
	case dk == reflect.Pointer:
		return c.toPointer(dst, src, false)
	case dst == src && dk == reflect.Interface:
		return func(d, s reflect.Value) error { return setAny(d, s) }, nil
	case dk == reflect.Struct && sk == reflect.Struct:
		return c.structs(dst, src)
	case dk == reflect.Slice && sk == reflect.Slice:
		return c.slices(dst, src)
	case dk == reflect.Map && sk == reflect.Map:
		return c.maps(dst, src)
	case dk == reflect.String && sk == reflect.String:
		return func(d, s reflect.Value) error { d.SetString(s.String()); return nil }, nil
	case dk == reflect.Bool && sk == reflect.Bool:
		return func(d, s reflect.Value) error { d.SetBool(s.Bool()); return nil }, nil
	case isInt(dk) && isInt(sk):
		return setInt, nil
	case dk == reflect.Uint8 && sk == reflect.Uint8:
		return func(d, s reflect.Value) error { d.SetUint(s.Uint()); return nil }, nil
	case isFloat(dk) && isFloat(sk):
		return func(d, s reflect.Value) error { d.SetFloat(s.Float()); return nil }, nil
	}
	return nil, fmt.Errorf("convert: %v does not convert to %v", src, dst)
}

func (c *compiler) pointers(dst, src reflect.Type) (step, error) {
	inner, err := c.pair(dst.Elem(), src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s reflect.Value) error {
		if s.IsNil() {
			d.SetZero()
			return nil
		}
		p := reflect.New(dst.Elem())
		d.Set(p)
		return inner(p.Elem(), s.Elem())
	}, nil
}

func (c *compiler) fromPointer(dst, src reflect.Type) (step, error) {
	inner, err := c.pair(dst, src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s reflect.Value) error {
		if s.IsNil() {
			d.SetZero()
			return nil
		}
		return inner(d, s.Elem())
	}, nil
}

// toPointer converts a value to a pointer: nil for a zero value, unless keep is set.
func (c *compiler) toPointer(dst, src reflect.Type, keep bool) (step, error) {
	inner, err := c.pair(dst.Elem(), src)
	if err != nil {
		return nil, err
	}
	return func(d, s reflect.Value) error {
		if !keep && s.IsZero() {
			d.SetZero()
			return nil
		}
		p := reflect.New(dst.Elem())
		d.Set(p)
		return inner(p.Elem(), s)
	}, nil
}

func (c *compiler) slices(dst, src reflect.Type) (step, error) {
	inner, err := c.pair(dst.Elem(), src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s reflect.Value) error {
		if s.IsNil() {
			d.SetZero()
			return nil
		}
		n := s.Len()
		out := reflect.MakeSlice(dst, n, n)
		d.Set(out)
		if dst.Elem() == src.Elem() && isPlain(dst.Elem()) {
			reflect.Copy(out, s)
			return nil
		}
		for i := range n {
			if err := inner(out.Index(i), s.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (c *compiler) maps(dst, src reflect.Type) (step, error) {
	key, err := c.pair(dst.Key(), src.Key())
	if err != nil {
		return nil, err
	}
	value, err := c.pair(dst.Elem(), src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s reflect.Value) error {
		if s.IsNil() {
			d.SetZero()
			return nil
		}
		out := reflect.MakeMapWithSize(dst, s.Len())
		for it := s.MapRange(); it.Next(); {
			k, v := reflect.New(dst.Key()).Elem(), reflect.New(dst.Elem()).Elem()
			if err := key(k, it.Key()); err != nil {
				return err
			}
			if err := value(v, it.Value()); err != nil {
				return err
			}
			out.SetMapIndex(k, v)
		}
		d.Set(out)
		return nil
	}, nil
}

func (c *compiler) structs(dst, src reflect.Type) (step, error) {
	if isOpaque(dst) || isOpaque(src) {
		if dst == src {
			return set, nil
		}
		return nil, fmt.Errorf("convert: %v does not convert to %v", src, dst)
	}
	type copyField struct {
		dst, src []int
		step     step
	}
	var fields []copyField
	sources := fieldsOf(src)
	for _, df := range fieldsOf(dst).list {
		sf, ok := sources.find(df.Name)
		if !ok || isSkipped(df) || isSkipped(sf) {
			continue
		}
		s, err := c.field(df, sf)
		if err != nil {
			return nil, fmt.Errorf("%w at %v.%s", err, src, sf.Name)
		}
		fields = append(fields, copyField{df.Index, sf.Index, s})
	}
	return func(d, s reflect.Value) error {
		for i := range fields {
			f := &fields[i]
			if err := f.step(d.FieldByIndex(f.dst), s.FieldByIndex(f.src)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (c *compiler) field(dst, src reflect.StructField) (step, error) {
	if src.Tag.Get("convert") == "keep" && dst.Type.Kind() == reflect.Pointer && src.Type.Kind() != reflect.Pointer {
		return c.toPointer(dst.Type, src.Type, true)
	}
	return c.pair(dst.Type, src.Type)
}

// fieldSet is the exported fields of a struct, promoted ones included.
type fieldSet struct {
	list   []reflect.StructField
	exact  map[string]int
	folded map[string]int
}

func fieldsOf(t reflect.Type) fieldSet {
	set := fieldSet{exact: map[string]int{}, folded: map[string]int{}}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() || throughPointer(t, f.Index) {
			continue
		}
		set.exact[f.Name] = len(set.list)
		set.folded[strings.ToLower(f.Name)] = len(set.list)
		set.list = append(set.list, f)
	}
	return set
}

func (s fieldSet) find(name string) (reflect.StructField, bool) {
	i, ok := s.exact[name]
	if !ok {
		if i, ok = s.folded[strings.ToLower(name)]; !ok {
			return reflect.StructField{}, false
		}
	}
	return s.list[i], true
}

// throughPointer reports whether the path passes an embedded pointer, which may be nil.
func throughPointer(t reflect.Type, path []int) bool {
	for _, i := range path[:len(path)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

func isSkipped(f reflect.StructField) bool { return f.Tag.Get("convert") == "-" }

func isInt(k reflect.Kind) bool   { return k >= reflect.Int && k <= reflect.Int64 }
func isFloat(k reflect.Kind) bool { return k == reflect.Float32 || k == reflect.Float64 }

// isPlain reports whether assigning a value of type t shares no memory.
func isPlain(t reflect.Type) bool {
	k := t.Kind()
	return k == reflect.String || k >= reflect.Bool && k <= reflect.Complex128 || t == reflect.TypeFor[time.Time]()
}

// isOpaque reports whether t is a struct whose content only its own package
// knows (time.Time, netip.Addr): it is assigned as a whole.
func isOpaque(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			return false
		}
	}
	return t.NumField() > 0
}

func set(dst, src reflect.Value) error {
	dst.Set(src)
	return nil
}

func setInt(dst, src reflect.Value) error {
	n := src.Int()
	if dst.OverflowInt(n) {
		return fmt.Errorf("convert: %d does not fit into %v", n, dst.Type())
	}
	dst.SetInt(n)
	return nil
}

// setAny copies a value held by an interface, as JSON documents are.
func setAny(dst, src reflect.Value) error {
	if src.IsNil() {
		dst.SetZero()
		return nil
	}
	held := src.Elem()
	s, err := newCompiler().pair(held.Type(), held.Type())
	if err != nil {
		return err
	}
	out := reflect.New(held.Type()).Elem()
	if err := s(out, held); err != nil {
		return err
	}
	dst.Set(out)
	return nil
}
