// Package convert copies between structs that describe the same thing twice:
// what a client says (wire types, full of pointers) and what is stored (records).
//
// Fields match by name, or by name without regard to case where no exact match
// exists (TaskArn, TaskARN). Fields without a counterpart are left alone, fields
// with one are always overwritten. Between matched fields
//
//   - *T and T convert: nil is T's zero value, and a zero value becomes nil,
//   - types of the same kind convert (named strings, signed integers of any size, bytes),
//   - structs, slices and maps convert element by element; nil and empty stay distinct.
//
// A record field tagged convert:"keep" becomes a non-nil pointer even when it is
// zero; one tagged convert:"-" is skipped and, to [Missing], accounted for.
//
// What [Copy] and [To] return never shares memory with their source.
package convert

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Copy copies the fields of src, a struct or a pointer to one, into the struct
// dst points to. It fails when two fields of one name have types that do not
// convert, or when an integer does not fit; dst is then partly written.
//
// It works out the field pairs anew on each call; [Func] does so once.
func Copy(dst, src any) error {
	d, s := reflect.ValueOf(dst), reflect.ValueOf(src)
	if d.Kind() != reflect.Pointer || d.IsNil() {
		return fmt.Errorf("convert: destination %T is not a pointer to a struct", dst)
	}
	for s.Kind() == reflect.Pointer && !s.IsNil() {
		s = s.Elem()
	}
	if !s.IsValid() || s.Kind() == reflect.Pointer {
		return fmt.Errorf("convert: source %T is nil", src)
	}
	step, err := newCompiler(false).pair(d.Type().Elem(), s.Type())
	if err != nil {
		return err
	}
	from := reflect.New(s.Type())
	from.Elem().Set(s)
	return step(d.UnsafePointer(), from.UnsafePointer())
}

// To returns a new T with the fields of src. It panics where Copy fails: the
// types are the program's own, so that is a mistake in it.
func To[T any](src any) T {
	var dst T
	if err := Copy(&dst, src); err != nil {
		panic(err)
	}
	return dst
}

// Func returns a function that does what [To] does, with the field pairs worked
// out once, and that leaves where it is what is the same in memory: what it returns
// points into its source, of which nothing may be assigned to afterwards. Func panics
// when the types do not convert, so that a package-level variable made by it proves at
// start that they do.
func Func[Dst, Src any]() func(*Src) Dst {
	step, err := newCompiler(true).pair(reflect.TypeFor[Dst](), reflect.TypeFor[Src]())
	if err != nil {
		panic(err)
	}
	return func(src *Src) Dst {
		var dst Dst
		if err := step(unsafe.Pointer(&dst), unsafe.Pointer(src)); err != nil {
			panic(err)
		}
		return dst
	}
}
