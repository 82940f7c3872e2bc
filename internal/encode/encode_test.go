package encode

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shout writes itself.
type shout string

func (s shout) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(s)) + "!"), nil }

// point writes itself if it can be pointed to.
type point struct{ X int }

func (p *point) MarshalJSON() ([]byte, error) { return json.Marshal([]int{p.X}) }

// even is zero in its own way.
type even int

func (e even) IsZero() bool { return e%2 == 0 }

type inner struct {
	A string
	B *inner `json:"b,omitempty"`
}

// every has a member of each sort.
type every struct {
	Text      string            `json:"text"`
	Optional  string            `json:"optional,omitempty"`
	Left      string            `json:"-"`
	Number    int               `json:",omitzero"`
	Long      int64             `json:"long,omitempty"`
	Short     int32             `json:"short,omitzero"`
	Tiny      uint8             `json:"tiny"`
	Yes       bool              `json:"yes,omitempty"`
	No        bool              `json:"no,omitzero"`
	Fraction  float64           `json:"fraction"`
	When      time.Time         `json:"when,omitzero"`
	Then      time.Time         `json:"then,omitempty"`
	To        *string           `json:"to,omitzero"`
	Pointer   *int              `json:"pointer"`
	Deep      **inner           `json:"deep,omitempty"`
	Names     []string          `json:"names"`
	None      []string          `json:"none,omitzero"`
	Empty     []string          `json:"empty,omitempty"`
	Pointers  []*inner          `json:"pointers"`
	Inner     inner             `json:"inner,omitzero"`
	Always    inner             `json:"always,omitempty"`
	Bytes     []byte            `json:"bytes"`
	Pair      [2]int32          `json:"pair,omitempty"`
	Map       map[string]string `json:"map"`
	Maps      map[string]string `json:"maps,omitempty"`
	Counts    map[string]int    `json:"counts,omitzero"`
	Keys      map[shout]string  `json:"keys"`
	Any       any               `json:"any,omitempty"`
	Raw       json.RawMessage   `json:"raw,omitempty"`
	Shout     shout             `json:"shout,omitempty"`
	Point     point             `json:"point"`
	Points    []point           `json:"points"`
	PointTo   *point            `json:"pointTo,omitzero"`
	Ratio     float32           `json:"a<b"`
	unwritten int
}

// numbered has what is left to encoding/json as a whole.
type numbered struct {
	N int `json:"n,string"`
}

type embedded struct {
	inner
	C string
}

type peculiar struct {
	E  even       `json:"e,omitzero"`
	At *time.Time `json:"at,omitzero"`
}

type twice struct {
	X string
	B string `json:"X"`
}

type all struct {
	Every  every
	Others []every `json:"others,omitzero"`
	N      numbered
	E      embedded
	O      peculiar
	T      twice
	L      *all `json:"l,omitzero"`
}

// fill gives a value what it may have, at random, nothing often.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	if r.IntN(4) == 0 {
		return
	}
	switch t := v.Type(); {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), r.Int64N(3)*1000).In(time.FixedZone("", 3600*r.IntN(3)))))
		return
	case t == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"a": [1, "<"]}`))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString([]string{"plain", "a longer plain text, of more than sixteen", `quo"te`, "<&>", "\u2028", "é", "\xff", "\n"}[r.IntN(8)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(1<<31) - 1<<30)
	case reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{"text", 1.5, nil}))
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth-1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i), depth-1)
		}
	case reflect.Array:
		fill(r, v.Index(0), depth)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(30) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, depth)
			fill(r, value, depth)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(r, f, depth)
			}
		}
	}
}

// TestSame: every sort of value is written as encoding/json writes it.
func TestSame(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	e := For[all]()
	for range 3000 {
		var v all
		v.Every.unwritten = 1
		fill(r, reflect.ValueOf(&v).Elem(), 3)
		want, err := json.Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Encode(&v, func(got []byte) error {
			if string(got) != string(want) {
				t.Fatalf("seed %d:\n%s, want\n%s", seed, got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrors: what has no JSON is an error, and so is what the use of the JSON returns.
func TestErrors(t *testing.T) {
	unused := func([]byte) error { t.Error("it is used"); return nil }
	late := struct{ At []time.Time }{[]time.Time{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}
	if err := For[struct{ At []time.Time }]().Encode(&late, unused); err == nil || !strings.HasPrefix(err.Error(), "encode struct { At []time.Time }: ") {
		t.Errorf("a year of five digits: %v", err)
	}
	c := struct{ C []chan int }{make([]chan int, 1)}
	if err := For[struct{ C []chan int }]().Encode(&c, unused); err == nil {
		t.Error("a channel")
	}
	mine := errors.New("mine")
	if err := For[int]().Encode(new(7), func(b []byte) error {
		if string(b) != "7" {
			t.Errorf("%s", b)
		}
		return mine
	}); !errors.Is(err, mine) {
		t.Error(err)
	}
}

// BenchmarkEncode writes a value, beside encoding/json.
func BenchmarkEncode(b *testing.B) {
	var v every
	fill(rand.New(rand.NewPCG(1, 2)), reflect.ValueOf(&v).Elem(), 3)
	b.Run("plan", func(b *testing.B) {
		e := For[every]()
		b.ReportAllocs()
		for b.Loop() {
			_ = e.Encode(&v, func([]byte) error { return nil })
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(&v)
		}
	})
}
