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
}

func TestReadWrite(t *testing.T) {
	p := shape.NewPlans().Of(reflect.TypeFor[message]())
	var m message
	err := Read(Labels{"Id": "a/b", "Other": "x"}, url.Values{"max": {"7", "8"}, "flag": {"true"}, "Body": {"no"}}, http.Header{"X-Token": {"t"}}, p, &m)
	if err != nil || *m.ID != "a/b" || *m.Max != 7 || !*m.Flag || *m.Token != "t" || m.Made != nil || m.Body != nil {
		t.Errorf("read %+v, %v", m, err)
	}
	for name, value := range map[string]string{"max": "many", "flag": "maybe"} {
		err := Read(nil, url.Values{name: {value}}, nil, p, &message{})
		if !errors.Is(err, ErrInvalid) || err.Error() != "invalid value '"+value+"' of parameter '"+name+"'" {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	var empty message
	if err := Read(nil, url.Values{"max": {""}}, nil, p, &empty); err != nil || empty.Max != nil {
		t.Errorf("an empty parameter: %+v, %v", empty, err)
	}
	m.Made = new(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	h := http.Header{}
	Write(h, p, &m)
	if want := (http.Header{"X-Token": {"t"}, "X-Made": {"Sun, 01 Mar 2026 12:00:00 GMT"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("wrote %v", h)
	}
}
