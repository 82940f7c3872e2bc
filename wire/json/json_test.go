package json

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"neargate/wire/shape"
)

type sample struct {
	Name    *string           `aws:"name"`
	Flag    *bool             `aws:"flag"`
	Count   *int32            `aws:"count"`
	Long    *int64            `aws:"long"`
	Ratio   *float64          `aws:"ratio"`
	Small   *float32          `aws:"small"`
	At      *time.Time        `aws:"at"`
	Iso     *time.Time        `aws:"iso,ts=date-time"`
	Blob    []byte            `aws:"blob"`
	Raw     json.RawMessage   `aws:"raw"`
	Child   *sample           `aws:"child"`
	Kids    []sample          `aws:"kids"`
	Words   []string          `aws:"words"`
	Labels  map[string]string `aws:"labels"`
	ByKey   map[string]sample `aws:"byKey"`
	Grid    [][]int32         `aws:"grid"`
	Choice  *choice           `aws:"choice,union"`
	Capital *string           `aws:"Capital"`
}

type choice struct {
	A *string `aws:"a"`
	B *int32  `aws:"b"`
}

var samplePlan = shape.NewPlans().Of(reflect.TypeFor[sample]())

type kept struct {
	Name *string `aws:"name"`
	Kids []kept  `aws:"kids"`
	Form *shape.Form
}

// TestAppendKept writes structures that keep their form: the first time as without, and
// then the same again.
func TestAppendKept(t *testing.T) {
	plan := shape.NewPlans().Of(reflect.TypeFor[kept]())
	kid := kept{Name: new("b"), Form: new(shape.Form)}
	v := &kept{Name: new("a"), Kids: []kept{kid, {Name: new("c")}, kid}}
	const want = `{"kids":[{"name":"b"},{"name":"c"},{"name":"b"}],"name":"a"}`
	for range 2 {
		if got := string(Append([]byte("x"), plan, v)); got != "x"+want {
			t.Errorf("%s", got)
		}
	}
	if got := string(kid.Form.JSON()); got != `{"name":"b"}` {
		t.Errorf("kept %s", got)
	}
}

func TestRead(t *testing.T) {
	at := time.UnixMilli(1789551555929).UTC()
	tests := map[string]sample{
		``:                                  {},
		" \n{ } ":                           {},
		`{"name":"x"}`:                      {Name: new("x")},
		`{"Name":"x","extra":[{"a":[1]}]}`:  {},
		`{"name":null,"kids":null}`:         {},
		`{"name":"a","name":"b"}`:           {Name: new("b")},
		`{"name":"a","name":null}`:          {},
		`{"words":["a","b"],"words":["c"]}`: {Words: []string{"c"}},
		`{"child":{"name":"a"},"child":{"flag":true}}`: {Child: &sample{Flag: new(true)}},
		`{"name":"\u00e9\ud83d\ude00\n\"\\\/"}`:        {Name: new("é😀\n\"\\/")},
		`{"name":"\ud83d"}`:                            {Name: new("\uFFFD")},
		`{"n\u0061me":"x"}`:                            {Name: new("x")},
		`{"count":1.0}`:                                {Count: new(int32(1))},
		`{"count":1e3}`:                                {Count: new(int32(1000))},
		`{"count":1.5}`:                                {Count: new(int32(1))},
		`{"long":9007199254740993}`:                    {Long: new(int64(9007199254740993))},
		`{"long":9.007199254740993E15}`:                {Long: new(int64(9007199254740993))},
		`{"long":-9223372036854775808}`:                {Long: new(int64(math.MinInt64))},
		`{"ratio":2,"small":0.5}`:                      {Ratio: new(2.0), Small: new(float32(0.5))},
		`{"ratio":"-Infinity"}`:                        {Ratio: new(math.Inf(-1))},
		`{"at":1.789551555929E9}`:                      {At: &at},
		`{"at":1789551555.929}`:                        {At: &at},
		`{"at":"2026-09-16T09:39:15.929Z"}`:            {At: &at},
		`{"blob":"AAEC"}`:                              {Blob: []byte{0, 1, 2}},
		`{"blob":""}`:                                  {Blob: []byte{}},
		`{"raw":{"a": 1}}`:                             {Raw: json.RawMessage(`{"a": 1}`)},
		`{"kids":[{"name":"a"},{},null]}`:              {Kids: []sample{{Name: new("a")}, {}}},
		`{"kids":[],"labels":{}}`:                      {Kids: []sample{}, Labels: map[string]string{}},
		`{"labels":{"a":"b","c":null}}`:                {Labels: map[string]string{"a": "b"}},
		`{"byKey":{"k":{"count":2}}}`:                  {ByKey: map[string]sample{"k": {Count: new(int32(2))}}},
		`{"grid":[[1,2],[]]}`:                          {Grid: [][]int32{{1, 2}, {}}},
		`{"choice":{"__type":"x#A","a":"v"}}`:          {Choice: &choice{A: new("v")}},
	}
	for in, want := range tests {
		var got sample
		if err := Read([]byte(in), samplePlan, &got); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s", in, Append(nil, samplePlan, &got))
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const none = ""
	tests := map[string]string{
		`{`:                          none,
		`null`:                       none,
		`"x"`:                        none,
		`{"count":1,}`:               none,
		`{"count":01}`:               none,
		`{"count":1.}`:               none,
		`{"count":+1}`:               none,
		`{"name":"a`:                 none,
		`{"name":"\x"}`:              none,
		`{"name":"\u12G4"}`:          none,
		"{\"name\":\"a\nb\"}":        none,
		"{\"name\":\"\xff\"}":        none,
		`{"name":"a"} x`:             none,
		`{"unknown":[1,]}`:           none,
		`{"unknown":tru}`:            none,
		`{"flag":nul}`:               none,
		`[]`:                         "Start of list found where not expected",
		`[`:                          none,
		`{"count":"1"}`:              "STRING_VALUE can not be converted to an Integer",
		`{"long":"1"}`:               "STRING_VALUE can not be converted to a Long",
		`{"count":true}`:             "TRUE_VALUE can not be converted to an Integer",
		`{"name":false}`:             "FALSE_VALUE can not be converted to a String",
		`{"name":1}`:                 "NUMBER_VALUE can not be converted to a String",
		`{"words":["a",1]}`:          "NUMBER_VALUE can not be converted to a String",
		`{"flag":1}`:                 "NUMBER_VALUE can not be converted to a Boolean",
		`{"ratio":"fast"}`:           "STRING_VALUE can not be converted to a Double",
		`{"at":"yesterday"}`:         "STRING_VALUE can not be converted to milliseconds since epoch",
		`{"at":1e300}`:               "NUMBER_VALUE can not be converted to milliseconds since epoch",
		`{"count":2147483648}`:       "NUMBER_VALUE can not be converted to an Integer",
		`{"long":1e19}`:              "NUMBER_VALUE can not be converted to a Long",
		`{"blob":"*"}`:               "'*' can not be converted to a Blob",
		`{"name":[]}`:                "Start of list found where not expected",
		`{"child":[]}`:               "Start of list found where not expected",
		`{"labels":[1]}`:             "Start of list found where not expected",
		`{"count":{"a":1}}`:          "Start of structure or map found where not expected.",
		`{"words":{}}`:               "Start of structure or map found where not expected.",
		`{"words":"x"}`:              "Expected list or null",
		`{"child":"x"}`:              "Expected null",
		`{"labels":3}`:               "Expected map or null",
		`{"choice":{"a":"x","b":1}}`: "A union must have exactly one member",
		`{"choice":{"c":"x"}}`:       "A union must have exactly one member",
		`{"child":{"count":[]}}`:     "Start of list found where not expected",
	}
	for in, want := range tests {
		var got sample
		var e *shape.Error
		if err := Read([]byte(in), samplePlan, &got); !errors.As(err, &e) {
			t.Errorf("%s: got %v", in, err)
		} else if e.Code != "SerializationException" || e.Status != 400 || e.Message != want {
			t.Errorf("%s: got %v, want %q", in, e, want)
		}
	}
}

func TestReadBoundsDepth(t *testing.T) {
	nest := func(n int) string {
		return strings.Repeat(`{"child":`, n-1) + "{}" + strings.Repeat("}", n-1)
	}
	if err := Read([]byte(nest(maxDepth)), samplePlan, new(sample)); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
	for _, deep := range []string{
		nest(maxDepth + 1),
		strings.Repeat(`{"x":`, maxDepth+1),
		`{"x":` + strings.Repeat(`[`, maxDepth) + strings.Repeat(`]`, maxDepth) + `}`,
		strings.Repeat(`{"raw":[`, 100000),
	} {
		if err := Read([]byte(deep), samplePlan, new(sample)); err == nil {
			t.Errorf("accepted %.20s… of %d bytes", deep, len(deep))
		}
	}
}

func TestReadBoundsMemory(t *testing.T) {
	n := maxElements / int(reflect.TypeFor[sample]().Size())
	for count, want := range map[int]bool{1000: true, n + 1: false} {
		body := `{"kids":[{}` + strings.Repeat(`,{}`, count-1) + `]}`
		if err := Read([]byte(body), samplePlan, new(sample)); (err == nil) != want {
			t.Errorf("%d elements: %v", count, err)
		}
	}
}

func TestAppend(t *testing.T) {
	at := time.UnixMilli(1789551555929)
	whole := time.Unix(1789551555, 0)
	tests := []struct {
		in   sample
		want string
	}{
		{sample{}, `{}`},
		{sample{Name: new("z"), Capital: new("c"), At: &at, Flag: new(false)},
			`{"Capital":"c","at":1.789551555929E9,"flag":false,"name":"z"}`},
		{sample{At: &whole, Iso: &at}, `{"at":1.789551555E9,"iso":"2026-09-16T09:39:15.929Z"}`},
		{sample{Kids: []sample{}, Words: []string{}, Labels: map[string]string{}}, `{"kids":[],"labels":{},"words":[]}`},
		{sample{Labels: map[string]string{"b": "2", "a": "1"}}, `{"labels":{"a":"1","b":"2"}}`},
		{sample{Ratio: new(100.0), Small: new(float32(0.1))}, `{"ratio":100.0,"small":0.1}`},
		{sample{Ratio: new(math.NaN())}, `{"ratio":"NaN"}`},
		{sample{Name: new("<a&b>\u2028\x01\t\"\\/é\xff")}, `{"name":"<a&b>` + "\u2028" + `\u0001\t\"\\/é` + "\uFFFD" + `"}`},
		{sample{Blob: []byte{0, 1, 2}}, `{"blob":"AAEC"}`},
		{sample{Raw: json.RawMessage(`{"b": "<", "a": 1.50}`)}, `{"raw":{"b":"<","a":1.50}}`},
		{sample{Grid: [][]int32{{1}, {}}, Count: new(int32(-5))}, `{"count":-5,"grid":[[1],[]]}`},
	}
	for _, tt := range tests {
		if got := string(Append(nil, samplePlan, &tt.in)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestAppendError(t *testing.T) {
	e := shape.Errorf("ConflictException", "in use: %q", "t")
	tests := []struct {
		e    *shape.Error
		want string
	}{
		{e, `{"__type":"ConflictException","message":"in use: \"t\""}`},
		{e.With("resourceIds", []string{"a"}).With("n", 2), `{"__type":"ConflictException","message":"in use: \"t\"","resourceIds":["a"],"n":2}`},
		{e.WithoutMessage(), `{"__type":"ConflictException"}`},
		{shape.Errorf("X", ""), `{"__type":"X"}`},
		{&shape.Error{Code: "X", Message: "m", Member: "Message"}, `{"__type":"X","Message":"m"}`},
	}
	for _, tt := range tests {
		if got := string(AppendError(nil, tt.e)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// FuzzRead checks the reader against encoding/json: what it accepts is JSON, and
// writing then reading what was read changes nothing.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a\u00e9\ud83d\ude00","count":1e2,"kids":[{"child":{}},null],"labels":{"a":"b"}}`,
		`{"at":1.789551555929E9,"iso":"2026-09-16T09:39:15Z","ratio":1e-7,"blob":"AAEC","raw":[1,{"x":null}]}`,
		`{"grid":[[1,2],[]],"byKey":{"k":{"flag":true}},"choice":{"a":"x"},"zz":[1,2,{"y":"\n"}]}`, `[]`, ``, `{"a":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second sample
		err := Read(body, samplePlan, &first)
		if err != nil {
			if e := new(shape.Error); !errors.As(err, &e) || e.Code != "SerializationException" {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if len(bytes.TrimSpace(body)) > 0 && !json.Valid(body) {
			t.Fatalf("accepted text that is not JSON: %q", body)
		}
		text := Append(nil, samplePlan, &first)
		if !json.Valid(text) {
			t.Fatalf("wrote text that is not JSON: %s", text)
		}
		if err := Read(text, samplePlan, &second); err != nil {
			t.Fatalf("cannot read back %s: %v", text, err)
		}
		if again := Append(nil, samplePlan, &second); !bytes.Equal(text, again) {
			t.Fatalf("not stable:\n%s\n%s", text, again)
		}
	})
}

// FuzzStrings checks both directions against encoding/json: it reads what we
// write and we read what it writes.
func FuzzStrings(f *testing.F) {
	f.Add("aé😀\\ud83d\"\u2028\x00<&>")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var theirs struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(Append(nil, samplePlan, &sample{Name: &s}), &theirs); err != nil || theirs.Name != s {
			t.Fatalf("%q: encoding/json reads %q (%v)", s, theirs.Name, err)
		}
		text, _ := json.Marshal(map[string]string{"name": s})
		var ours sample
		if err := Read(text, samplePlan, &ours); err != nil || *ours.Name != s {
			t.Fatalf("%s: read %v (%v)", text, ours.Name, err)
		}
	})
}

// TestAppendStringBytes: each byte, at each place of words and their remainders, comes
// out as encoding/json reads it.
func TestAppendStringBytes(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				s := []byte(strings.Repeat("a", length))
				s[at] = byte(c)
				var back string
				if err := json.Unmarshal(appendString(nil, string(s)), &back); err != nil {
					t.Fatalf("%q: %v", s, err)
				}
				want := string(s)
				if c >= utf8.RuneSelf {
					want = strings.ToValidUTF8(want, "\uFFFD")
				}
				if back != want {
					t.Fatalf("%q became %q", s, back)
				}
			}
		}
	}
}

// TestPayload: a member that is the whole body, and members with places elsewhere.
func TestPayload(t *testing.T) {
	type bytesOf struct {
		Name *string `aws:"name" http:"label=name"`
		Data []byte  `aws:"data" http:"payload"`
	}
	type thing struct {
		Size *int32 `aws:"size"`
	}
	type thingOf struct {
		Name  *string `aws:"name" http:"header=X-Name"`
		Thing *thing  `aws:"thing" http:"payload"`
	}
	type bodyOf struct {
		Name *string `aws:"name" http:"query=name"`
		Text *string `aws:"text"`
	}
	plans := shape.NewPlans()
	for _, tt := range []struct {
		in         any
		body, want string // want: written again, or the error's code
	}{
		{&bytesOf{}, "{no JSON", "{no JSON"},
		{&bytesOf{}, "", ""},
		{&thingOf{}, `{"size":3}`, `{"size":3}`},
		{&thingOf{}, `null`, ""},
		{&thingOf{}, ``, ""},
		{&thingOf{}, `{"size":3} x`, "SerializationException"},
		{&thingOf{}, `[]`, "SerializationException"},
		{&bodyOf{}, `{"name":"n","text":"t"}`, `{"text":"t"}`},
	} {
		p := plans.Of(reflect.TypeOf(tt.in).Elem())
		got := ""
		if err := Read([]byte(tt.body), p, tt.in); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		} else {
			got = string(Append(nil, p, tt.in))
		}
		if got != tt.want {
			t.Errorf("%T from %q: %q, want %q", tt.in, tt.body, got, tt.want)
		}
	}
}

func TestAppendRestError(t *testing.T) {
	e := shape.Errorf("Gone", "it is gone").With("code", "x")
	if got := string(AppendRestError(nil, e)); got != `{"message":"it is gone","code":"x"}` {
		t.Errorf("got %s", got)
	}
	if got := string(AppendRestError(nil, e.WithoutMessage())); got != `{"code":"x"}` {
		t.Errorf("without a message: %s", got)
	}
}
