package convert

import (
	"reflect"
	"slices"
)

// Missing returns the dotted paths of Src's fields that a copy to Dst would lose
// or refuse, sorted; nil means that every member is kept. Fields tagged
// convert:"-" count as dealt with.
func Missing[Dst, Src any]() []string {
	m := missing{seen: map[pairKey]bool{}}
	m.walk("", reflect.TypeFor[Dst](), reflect.TypeFor[Src]())
	slices.Sort(m.paths)
	return m.paths
}

type missing struct {
	seen  map[pairKey]bool
	paths []string
}

func (m *missing) walk(path string, dst, src reflect.Type) {
	dst, src = element(dst), element(src)
	if m.seen[pairKey{dst, src}] {
		return
	}
	m.seen[pairKey{dst, src}] = true
	if dst.Kind() != reflect.Struct || src.Kind() != reflect.Struct || isOpaque(dst) || isOpaque(src) {
		if _, err := newCompiler(false).pair(dst, src); err != nil {
			m.paths = append(m.paths, path)
			delete(m.seen, pairKey{dst, src})
		}
		return
	}
	targets := fieldsOf(dst)
	for _, sf := range fieldsOf(src).list {
		df, ok := targets.find(sf.Name)
		at := path + sf.Name
		switch {
		case isSkipped(sf) || ok && isSkipped(df):
		case !ok:
			m.paths = append(m.paths, at)
		case shapeOf(df.Type) != shapeOf(sf.Type):
			m.paths = append(m.paths, at)
		default:
			if element(df.Type).Kind() == reflect.Struct && element(sf.Type).Kind() == reflect.Struct {
				at += "."
			}
			m.walk(at, df.Type, sf.Type)
		}
	}
}

// element strips pointers, slices and map keys.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

// shapeOf spells the slices and maps around a type's element.
func shapeOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Slice:
		return "[]" + shapeOf(t.Elem())
	case reflect.Map:
		return "map[" + shapeOf(t.Key()) + "]" + shapeOf(t.Elem())
	}
	return ""
}
