package convert

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// step converts what src points to into what dst points to. The pointers are of the types
// that the step was compiled for, and dst points to a zero value or one to be overwritten.
type step func(dst, src unsafe.Pointer) error

type pairKey struct{ dst, src reflect.Type }

// compiler builds steps. Pairs under construction are in the table before their
// step is known, which is what lets recursive types refer to themselves.
type compiler struct {
	steps map[pairKey]*step
	share bool // results may point into their source
}

func newCompiler(share bool) *compiler { return &compiler{map[pairKey]*step{}, share} }

func (c *compiler) pair(dst, src reflect.Type) (step, error) {
	if dst == src && (c.share || isPlain(dst)) {
		return assign(dst), nil
	}
	key := pairKey{dst, src}
	if s, ok := c.steps[key]; ok {
		return func(d, v unsafe.Pointer) error { return (*s)(d, v) }, nil
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
		return func(d, s unsafe.Pointer) error { return setAny(at(dst, d), at(src, s)) }, nil
	case dk == reflect.Struct && sk == reflect.Struct:
		return c.structs(dst, src)
	case dk == reflect.Slice && sk == reflect.Slice:
		return c.slices(dst, src)
	case dk == reflect.Map && sk == reflect.Map:
		return c.maps(dst, src)
	case isInt(dk) && isInt(sk):
		return func(d, s unsafe.Pointer) error { return setInt(at(dst, d), at(src, s)) }, nil
	case dk == sk && (dk == reflect.String || dk == reflect.Bool || dk == reflect.Uint8):
		return assign(dst), nil // the same in memory, whatever their names
	case isFloat(dk) && isFloat(sk):
		return func(d, s unsafe.Pointer) error { at(dst, d).SetFloat(at(src, s).Float()); return nil }, nil
	}
	return nil, fmt.Errorf("convert: %v does not convert to %v", src, dst)
}

func (c *compiler) pointers(dst, src reflect.Type) (step, error) {
	if c.share && isSame(dst.Elem(), src.Elem()) {
		return func(d, s unsafe.Pointer) error { *(*unsafe.Pointer)(d) = *(*unsafe.Pointer)(s); return nil }, nil
	}
	inner, err := c.pair(dst.Elem(), src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s unsafe.Pointer) error {
		from := *(*unsafe.Pointer)(s)
		if from == nil {
			*(*unsafe.Pointer)(d) = nil
			return nil
		}
		return inner(pointTo(dst, d), from)
	}, nil
}

func (c *compiler) fromPointer(dst, src reflect.Type) (step, error) {
	inner, err := c.pair(dst, src.Elem())
	if err != nil {
		return nil, err
	}
	return func(d, s unsafe.Pointer) error {
		from := *(*unsafe.Pointer)(s)
		if from == nil {
			at(dst, d).SetZero()
			return nil
		}
		return inner(d, from)
	}, nil
}

// toPointer converts a value to a pointer: nil for a zero value, unless keep is set.
func (c *compiler) toPointer(dst, src reflect.Type, keep bool) (step, error) {
	inner, err := c.pair(dst.Elem(), src)
	if err != nil {
		return nil, err
	}
	zero := func(s unsafe.Pointer) bool { return at(src, s).IsZero() }
	switch {
	case keep:
		zero = func(unsafe.Pointer) bool { return false }
	case src.Kind() == reflect.String:
		zero = func(s unsafe.Pointer) bool { return *(*string)(s) == "" }
	case isInt(src.Kind()) && src.Size() == 8:
		zero = func(s unsafe.Pointer) bool { return *(*int64)(s) == 0 }
	case src == reflect.TypeFor[time.Time]():
		zero = func(s unsafe.Pointer) bool { return (*time.Time)(s).IsZero() }
	}
	if c.share && isSame(dst.Elem(), src) {
		return func(d, s unsafe.Pointer) error {
			if zero(s) {
				s = nil
			}
			*(*unsafe.Pointer)(d) = s
			return nil
		}, nil
	}
	return func(d, s unsafe.Pointer) error {
		if zero(s) {
			*(*unsafe.Pointer)(d) = nil
			return nil
		}
		return inner(pointTo(dst, d), s)
	}, nil
}

// pointTo makes the pointer of type t at d point to a new value, and returns where it is.
func pointTo(t reflect.Type, d unsafe.Pointer) unsafe.Pointer {
	p := reflect.New(t.Elem()).UnsafePointer()
	*(*unsafe.Pointer)(d) = p
	return p
}

func (c *compiler) slices(dst, src reflect.Type) (step, error) {
	if c.share && isSame(dst.Elem(), src.Elem()) {
		return func(d, s unsafe.Pointer) error { *(*[]struct{})(d) = *(*[]struct{})(s); return nil }, nil
	}
	inner, err := c.pair(dst.Elem(), src.Elem())
	if err != nil {
		return nil, err
	}
	plain := dst.Elem() == src.Elem() && isPlain(dst.Elem())
	to, from := dst.Elem().Size(), src.Elem().Size()
	return func(d, s unsafe.Pointer) error {
		list := *(*[]struct{})(s)
		if list == nil {
			*(*[]struct{})(d) = nil
			return nil
		}
		n := len(list)
		out := reflect.MakeSlice(dst, n, n)
		p, q := out.UnsafePointer(), unsafe.Pointer(unsafe.SliceData(list))
		*(*[]struct{})(d) = unsafe.Slice((*struct{})(p), n)
		if plain {
			reflect.Copy(out, at(src, s))
			return nil
		}
		for i := range uintptr(n) {
			if err := inner(unsafe.Add(p, i*to), unsafe.Add(q, i*from)); err != nil {
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
	return func(d, s unsafe.Pointer) error {
		from := at(src, s)
		if from.IsNil() {
			at(dst, d).SetZero()
			return nil
		}
		out := reflect.MakeMapWithSize(dst, from.Len())
		oldKey, oldValue := reflect.New(src.Key()), reflect.New(src.Elem())
		for it := from.MapRange(); it.Next(); {
			oldKey.Elem().SetIterKey(it)
			oldValue.Elem().SetIterValue(it)
			k, v := reflect.New(dst.Key()), reflect.New(dst.Elem())
			if err := key(k.UnsafePointer(), oldKey.UnsafePointer()); err != nil {
				return err
			}
			if err := value(v.UnsafePointer(), oldValue.UnsafePointer()); err != nil {
				return err
			}
			out.SetMapIndex(k.Elem(), v.Elem())
		}
		at(dst, d).Set(out)
		return nil
	}, nil
}

func (c *compiler) structs(dst, src reflect.Type) (step, error) {
	if isOpaque(dst) || isOpaque(src) {
		if dst == src {
			return assign(dst), nil
		}
		return nil, fmt.Errorf("convert: %v does not convert to %v", src, dst)
	}
	type copyField struct {
		dst, src uintptr // offsets
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
		fields = append(fields, copyField{offset(dst, df.Index), offset(src, sf.Index), s})
	}
	return func(d, s unsafe.Pointer) error {
		for i := range fields {
			f := &fields[i]
			if err := f.step(unsafe.Add(d, f.dst), unsafe.Add(s, f.src)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// offset of a field in t, which the path leads to through embedded structs.
func offset(t reflect.Type, path []int) (n uintptr) {
	for _, i := range path {
		f := t.Field(i)
		n, t = n+f.Offset, f.Type
	}
	return n
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

// isSame reports whether values of two types are the same in memory, whatever the names.
func isSame(a, b reflect.Type) bool {
	k := a.Kind()
	return a == b || k == b.Kind() && (k == reflect.String || k >= reflect.Bool && k <= reflect.Complex128)
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

// at is the value of type t at p.
func at(t reflect.Type, p unsafe.Pointer) reflect.Value { return reflect.NewAt(t, p).Elem() }

// assign copies a value of type t as it is.
func assign(t reflect.Type) step {
	switch k := t.Kind(); {
	case k == reflect.String:
		return func(d, s unsafe.Pointer) error { *(*string)(d) = *(*string)(s); return nil }
	case k == reflect.Bool || isInt(k) && t.Size() == 1 || k == reflect.Uint8:
		return func(d, s unsafe.Pointer) error { *(*byte)(d) = *(*byte)(s); return nil }
	case isInt(k) && t.Size() == 8:
		return func(d, s unsafe.Pointer) error { *(*int64)(d) = *(*int64)(s); return nil }
	case t == reflect.TypeFor[time.Time]():
		return func(d, s unsafe.Pointer) error { *(*time.Time)(d) = *(*time.Time)(s); return nil }
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Map:
		return func(d, s unsafe.Pointer) error { *(*unsafe.Pointer)(d) = *(*unsafe.Pointer)(s); return nil }
	case reflect.Slice:
		return func(d, s unsafe.Pointer) error { *(*[]struct{})(d) = *(*[]struct{})(s); return nil }
	}
	return func(d, s unsafe.Pointer) error { at(t, d).Set(at(t, s)); return nil }
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
	s, err := newCompiler(false).pair(held.Type(), held.Type())
	if err != nil {
		return err
	}
	out, in := reflect.New(held.Type()), reflect.New(held.Type())
	in.Elem().Set(held)
	if err := s(out.UnsafePointer(), in.UnsafePointer()); err != nil {
		return err
	}
	dst.Set(out.Elem())
	return nil
}
