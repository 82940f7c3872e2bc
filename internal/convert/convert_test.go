package convert

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

type status string

type wirePort struct {
	ContainerPort *int32
	Protocol      *string
}

type wireContainer struct {
	Name        *string
	Image       *string
	Essential   *bool
	Command     []string
	Environment map[string]string
	Ports       []wirePort
	Health      *wireHealth
}

type wireHealth struct{ Interval *int32 }

type wireTask struct {
	TaskArn    *string
	Status     *string
	StartedAt  *time.Time
	Count      *int32
	Weight     *float64
	Containers []wireContainer
	Extra      any
	Parent     *wireTask
	WireOnly   *string
}

type port struct {
	ContainerPort int
	Protocol      string
}

type container struct {
	Name        string
	Image       string
	Essential   *bool
	Command     []string
	Environment map[string]string
	Ports       []port
	Health      *health
}

type health struct{ Interval int }

type task struct {
	TaskARN    string
	Status     status
	StartedAt  time.Time
	Count      int `convert:"keep"`
	Weight     float64
	Containers []container
	Extra      any
	Parent     *task
	Secret     []byte `convert:"-"`
}

func sampleTask() task {
	return task{
		TaskARN: "arn:x", Status: "RUNNING", StartedAt: time.Unix(1789551555, 0), Weight: 0.5,
		Containers: []container{{
			Name: "web", Essential: new(false), Command: []string{"a", "b"},
			Environment: map[string]string{"K": "V"},
			Ports:       []port{{80, "tcp"}, {}}, Health: &health{5},
		}, {Name: "side", Command: []string{}}},
		Extra:  map[string]any{"a": []any{1.0, "x", nil}},
		Parent: &task{TaskARN: "arn:parent"},
		Secret: []byte("s"),
	}
}

func TestRecordToWire(t *testing.T) {
	got := To[wireTask](sampleTask())
	started := time.Unix(1789551555, 0)
	want := wireTask{
		TaskArn: new("arn:x"), Status: new("RUNNING"), StartedAt: &started, Count: new(int32(0)), Weight: new(0.5),
		Containers: []wireContainer{{
			Name: new("web"), Essential: new(false), Command: []string{"a", "b"},
			Environment: map[string]string{"K": "V"},
			Ports:       []wirePort{{new(int32(80)), new("tcp")}, {}}, Health: &wireHealth{new(int32(5))},
		}, {Name: new("side"), Command: []string{}}},
		Extra:  map[string]any{"a": []any{1.0, "x", nil}},
		Parent: &wireTask{TaskArn: new("arn:parent"), Count: new(int32(0))},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestRoundTripKeepsRecord(t *testing.T) {
	src := sampleTask()
	back := To[task](To[wireTask](src))
	src.Secret = nil
	if !reflect.DeepEqual(back, src) {
		t.Errorf("got %+v\nwant %+v", back, src)
	}
}

func TestFuncAgreesWithTo(t *testing.T) {
	src := sampleTask()
	wire := Func[wireTask, task]()(&src)
	if want := To[wireTask](src); !reflect.DeepEqual(wire, want) {
		t.Errorf("got %+v\nwant %+v", wire, want)
	}
	if got, want := Func[task, wireTask]()(&wire), To[task](wire); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !reflect.DeepEqual(src, sampleTask()) {
		t.Errorf("source changed: %+v", src)
	}
}

func TestFuncLeavesWhatIsTheSame(t *testing.T) {
	src := sampleTask()
	got := Func[wireTask, task]()(&src)
	c, from := &got.Containers[0], &src.Containers[0]
	if got.TaskArn != &src.TaskARN || *got.Status != "RUNNING" || c.Name != &from.Name || c.Essential != from.Essential || &c.Command[0] != &from.Command[0] {
		t.Errorf("%+v does not point into its source", got)
	}
}

func TestResultSharesNothing(t *testing.T) {
	src := sampleTask()
	dst := To[task](&src)
	dst.Containers[0].Command[0] = "changed"
	dst.Containers[0].Environment["K"] = "changed"
	*dst.Containers[0].Essential = true
	dst.Extra.(map[string]any)["a"].([]any)[0] = 2.0
	dst.Parent.TaskARN = "changed"
	if !reflect.DeepEqual(src, sampleTask()) {
		t.Errorf("source changed: %+v", src)
	}
}

func TestCopyOverwritesMatchedAndKeepsOthers(t *testing.T) {
	dst := wireTask{TaskArn: new("old"), WireOnly: new("kept"), Containers: []wireContainer{{}}}
	if err := Copy(&dst, task{}); err != nil {
		t.Fatal(err)
	}
	if dst.TaskArn != nil || dst.Containers != nil || *dst.WireOnly != "kept" {
		t.Errorf("got %+v", dst)
	}
}

func TestCopyRefuses(t *testing.T) {
	type a struct{ V string }
	type b struct{ V int }
	type wide struct{ V int64 }
	type narrow struct{ V *int32 }
	tests := map[string]struct{ dst, src any }{
		"types":           {&b{}, a{"x"}},
		"overflow":        {&narrow{}, wide{1 << 40}},
		"nil source":      {&a{}, (*a)(nil)},
		"untyped nil":     {&a{}, nil},
		"value as target": {a{}, a{}},
	}
	for name, tt := range tests {
		if err := Copy(tt.dst, tt.src); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBytesAndDocuments(t *testing.T) {
	type wire struct {
		Doc  json.RawMessage
		Blob []byte
	}
	type rec struct {
		Doc  []byte
		Blob []byte
	}
	src := rec{[]byte(`{"a":1}`), []byte{1, 2}}
	got := To[wire](src)
	src.Blob[0] = 9
	if string(got.Doc) != `{"a":1}` || got.Blob[0] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestEmbeddedFieldsAreSeen(t *testing.T) {
	type base struct{ Name string }
	type rec struct {
		base
		Size int
	}
	type wire struct {
		Name *string
		Size *int32
	}
	got := To[wire](rec{base{"n"}, 3})
	if *got.Name != "n" || *got.Size != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestMissing(t *testing.T) {
	type inner struct{ Kept, Lost *string }
	type record struct{ Kept string }
	type src struct {
		Items  []inner
		Single *inner
		Number *int32
		Shape  []string
		Gone   *bool
	}
	type dst struct {
		Items  []record
		Single record
		Number string
		Shape  string
	}
	got := Missing[dst, src]()
	// A pair of struct types is reported once, at the first place it is met.
	want := []string{"Gone", "Items.Lost", "Number", "Shape"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Missing[task, wireTask](); !slices.Equal(got, []string{"WireOnly"}) {
		t.Errorf("got %q", got)
	}
	if got := Missing[wireTask, task](); got != nil {
		t.Errorf("got %q, want none", got)
	}
}

func BenchmarkTo(b *testing.B) {
	src := sampleTask()
	b.ReportAllocs()
	for b.Loop() {
		To[wireTask](&src)
	}
}

func BenchmarkFunc(b *testing.B) {
	src, f := sampleTask(), Func[wireTask, task]()
	b.ReportAllocs()
	for b.Loop() {
		f(&src)
	}
}
