package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"neargate/wire/shape"
)

func at(name, method, path string) shape.Operation {
	return shape.Operation{Name: name}.At(method, path, http.StatusOK)
}

func TestFind(t *testing.T) {
	r := NewRouter([]shape.Operation{
		at("Create", "POST", "/2013-04-01/hostedzone"), at("Get", "GET", "/2013-04-01/hostedzone/{Id}"), at("Count", "GET", "/2013-04-01/hostedzone/count"),
		at("Change", "POST", "/2013-04-01/hostedzone/{Id}/rrset/"), at("Tags", "GET", "/2013-04-01/tags/{Kind}/{Id}"),
	})
	for _, tt := range []struct{ method, path, want string }{
		{"POST", "/2013-04-01/hostedzone", "Create map[]"},
		{"POST", "/2013-04-01/hostedzone/", "Create map[]"},
		{"GET", "/2013-04-01/hostedzone/Z1", "Get map[Id:Z1]"},
		{"GET", "/2013-04-01/hostedzone/count", "Count map[]"},
		{"GET", "/2013-04-01/hostedzone/%2Fhostedzone%2FZ1", "Get map[Id:/hostedzone/Z1]"},
		{"POST", "/2013-04-01/hostedzone/Z1/rrset", "Change map[Id:Z1]"},
		{"POST", "/2013-04-01/hostedzone/Z1/rrset/", "Change map[Id:Z1]"},
		{"GET", "/2013-04-01/tags/a%20b/c+d", "Tags map[Id:c+d Kind:a b]"},
		{"GET", "/2013-04-01/tags//c", ""},
		{"GET", "/2013-04-01/tags/%zz/c", ""},
		{"GET", "/2013-04-01/hostedzone//", ""},
		{"DELETE", "/2013-04-01/hostedzone/Z1", ""},
		{"GET", "/2012-04-01/hostedzone/Z1", ""},
		{"GET", "/", ""},
		{"GET", "", ""},
	} {
		name, labels, ok := r.Find(tt.method, tt.path)
		got := ""
		if ok {
			got = fmt.Sprint(name, " ", map[string]string(labels))
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestRouterRefusesPaths(t *testing.T) {
	for _, o := range []shape.Operation{at("A", "", "/a"), at("B", "GET", "b"), at("C", "GET", "/{Key+}"), at("D", "GET", "/d?x")} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is routed at %s %s", o.Name, o.Method, o.Path)
				}
			}()
			NewRouter([]shape.Operation{o})
		}()
	}
}

type message struct {
	ID    *string    `aws:"ID" http:"label=Id"`
	Max   *int32     `aws:"Max" http:"query=max"`
	Flag  *bool      `aws:"Flag" http:"query=flag"`
	Token *string    `aws:"Token" http:"header=X-Token"`
	Made  *time.Time `aws:"Made" http:"header=X-Made"`
	Body  *string    `aws:"Body"`

	Names  []string            `aws:"Names" http:"query=name"`
	Days   []time.Time         `aws:"Days,ts=epoch-seconds" http:"query=day"`
	Since  *time.Time          `aws:"Since" http:"query=since"`
	Others map[string]string   `aws:"Others" http:"params"`
	Lists  map[string][]string `aws:"Lists" http:"params"`
	Status *int32              `aws:"Status" http:"status"`
}

func TestReadWrite(t *testing.T) {
	p := shape.NewPlans().Of(reflect.TypeFor[message]())
	var m message
	err := Read(Labels{"Id": "a/b", "Other": "x"}, url.Values{"max": {"7", "8"}, "flag": {"true"}, "Body": {"no"}}, http.Header{"X-Token": {"t"}}, p, &m)
	if err != nil || *m.ID != "a/b" || *m.Max != 7 || !*m.Flag || *m.Token != "t" || m.Made != nil || m.Body != nil {
		t.Errorf("read %+v, %v", m, err)
	}
	if !reflect.DeepEqual(m.Others, map[string]string{"Body": "no"}) || !reflect.DeepEqual(m.Lists, map[string][]string{"Body": {"no"}}) || m.Status != nil {
		t.Errorf("other parameters: %v, %v", m.Others, m.Lists)
	}
	for name, value := range map[string]string{"max": "many", "flag": "maybe", "day": "1e30", "since": "yesterday"} {
		err := Read(nil, url.Values{name: {value}}, nil, p, &message{})
		if !errors.Is(err, ErrInvalid) || err.Error() != "invalid value '"+value+"' of parameter '"+name+"'" {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	var empty message
	if err := Read(nil, url.Values{"max": {""}}, nil, p, &empty); err != nil || empty.Max != nil {
		t.Errorf("an empty parameter: %+v, %v", empty, err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var lists message
	err = Read(nil, url.Values{"name": {"b", "", "a"}, "day": {"1772366400", "0.5"}, "since": {"2026-03-01T13:00:00+01:00"}},
		http.Header{"X-Made": {"Sun, 01 Mar 2026 12:00:00 GMT"}}, p, &lists)
	if err != nil || !reflect.DeepEqual(lists.Names, []string{"b", "a"}) || !lists.Since.Equal(at) || !lists.Made.Equal(at) || lists.Others != nil ||
		len(lists.Days) != 2 || !lists.Days[0].Equal(at) || !lists.Days[1].Equal(time.UnixMilli(500)) {
		t.Errorf("lists and times: %+v, %v", lists, err)
	}
	m.Made = &at
	h := http.Header{}
	if status := Write(h, p, &m); status != 0 {
		t.Errorf("status %d without one", status)
	}
	if status := Write(http.Header{}, p, &message{Status: new(int32(202))}); status != 202 {
		t.Errorf("status %d, not the one of the output", status)
	}
	if want := (http.Header{"X-Token": {"t"}, "X-Made": {"Sun, 01 Mar 2026 12:00:00 GMT"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("wrote %v", h)
	}
}
