package smithy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const ns = "example.toy#"

// model has a service with one operation and a cycle of shapes.
func model() *Model {
	return &Model{Shapes: map[string]*Shape{
		ns + "Toy":    {Type: "service", Traits: Traits{SigV4: json.RawMessage(`{"name":"my-toy"}`)}},
		ns + "Put":    {Type: "operation", Input: &Ref{ns + "Thing"}, Errors: []Ref{{ns + "Gone"}}},
		ns + "Thing":  {Type: "structure", Members: map[string]*Member{"b": {Target: ns + "Things"}, "a": {Target: "smithy.api#String"}}},
		ns + "Things": {Type: "list", Member: &Member{Target: ns + "Thing"}},
		ns + "Gone":   {Type: "structure"},
		ns + "Spare":  {Type: "structure"},
	}}
}

func TestWalk(t *testing.T) {
	m := model()
	var got []string
	err := m.Walk([]string{ns + "Thing", "smithy.api#Unit"}, func(id string, _ *Shape) { got = append(got, Name(id)) })
	if want := []string{"Thing", "Things"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("visited %v (%v), want %v", got, err, want)
	}
	m.Shapes[ns+"Things"].Member.Target = ns + "Lost"
	err = m.Walk([]string{ns + "Thing"}, func(string, *Shape) {})
	if err == nil || !strings.Contains(err.Error(), "Lost") {
		t.Errorf("a dangling target gives %v", err)
	}
}

func TestService(t *testing.T) {
	s, got, err := model().Service()
	if err != nil || got != ns || ID(s) != "mytoy" {
		t.Errorf("got %q, %q, %v", got, ID(s), err)
	}
	if _, _, err := new(Model).Service(); err == nil {
		t.Error("a model without service is accepted")
	}
}

func TestReadOperations(t *testing.T) {
	for text, want := range map[string]map[string][]string{
		"# note\n\ntoy:B\n toy:A \nother:B\n": {"toy": {"A", "B"}, "other": {"B"}},
		"toy:A\ntoy:A\n":                      nil,
		"toy A\n":                             nil,
	} {
		path := filepath.Join(t.TempDir(), "operations.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadOperations(path)
		if !reflect.DeepEqual(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q gives %v, %v", text, got, err)
		}
	}
}

func TestOverlay(t *testing.T) {
	m := model()
	o := &Overlay{
		Members: map[string]map[string]string{"Thing": {"c": "smithy.api#Long", "a": "Things"}, "Gone": {"message": "smithy.api#String"}},
		Order:   map[string][]string{"Thing": {"c"}},
		Traits:  map[string]Traits{"Thing.a": {Required: json.RawMessage(`{}`)}, "Things": {Length: json.RawMessage(`{"max":2}`)}},
		Errors:  map[string][]string{"Put": {"Spare"}},
	}
	if err := o.Apply(m); err != nil {
		t.Fatal(err)
	}
	thing := m.Shapes[ns+"Thing"]
	if got, want := thing.Names(), []string{"c", "a", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if a := thing.Members["a"]; a.Target != ns+"Things" || !a.Traits.Has(Required) {
		t.Errorf("a is %+v", a)
	}
	if got := m.Shapes[ns+"Things"].Traits.IntField(Length, "max"); got != 2 {
		t.Errorf("length %d, want 2", got)
	}
	if got, want := m.Shapes[ns+"Put"].Errors, []Ref{{ns + "Gone"}, {ns + "Spare"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("errors %v, want %v", got, want)
	}
	for _, id := range []string{ns + "Things", ns + "Spare"} {
		if needs := strings.Join(o.Needs(ns), " "); !strings.Contains(needs, id) {
			t.Errorf("needs %s, not %s", needs, id)
		}
	}
}

// TestOverlayIdle checks that corrections without effect are refused.
func TestOverlayIdle(t *testing.T) {
	for name, o := range map[string]*Overlay{
		"shape":          {Members: map[string]map[string]string{"Lost": {"a": "smithy.api#String"}}},
		"target":         {Members: map[string]map[string]string{"Thing": {"c": "Lost"}}},
		"same target":    {Members: map[string]map[string]string{"Thing": {"a": "smithy.api#String"}}},
		"order of none":  {Order: map[string][]string{"Lost": {"a"}}},
		"order":          {Order: map[string][]string{"Thing": {"lost"}}},
		"trait of shape": {Traits: map[string]Traits{"Lost": {Length: json.RawMessage(`{}`)}}},
		"trait":          {Traits: map[string]Traits{"Thing.lost": {Length: json.RawMessage(`{}`)}}},
		"unread trait":   {Traits: map[string]Traits{"Thing": {"smithy.api#documentation": json.RawMessage(`""`)}}},
		"operation":      {Errors: map[string][]string{"Lost": {"Gone"}}},
		"error":          {Errors: map[string][]string{"Put": {"Lost"}}},
		"same error":     {Errors: map[string][]string{"Put": {"Gone"}}},
	} {
		if err := o.Apply(model()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
