package policy

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// someSet is a random set and guard for a user of an account.
func someSet(t *testing.T, r *rand.Rand) (Set, *Guard) {
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	doc := func(principal bool) *Document {
		var all []string
		for range 1 + r.Intn(3) {
			s := `{"Effect":"` + pick("Allow", "Allow", "Deny") + `","` + pick("Action", "NotAction") + `":"` + pick("*", "s3:Get*", "ec2:*") +
				`","` + pick("Resource", "NotResource") + `":"` + pick("*", "arn:aws:s3:::b/*") + `"`
			if principal {
				s += `,"` + pick("Principal", "Principal", "NotPrincipal") + `":{"AWS":"` + pick("*", "123456789012", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::123456789012:user/v") + `"}`
			}
			if r.Intn(3) == 0 {
				s += `,"Condition":{"StringEquals":{"k":"` + pick("v", "w") + `"}}`
			}
			all = append(all, s+"}")
		}
		return must(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(all, ",")+`]}`)
	}
	docs := func() (out []*Document) {
		for range r.Intn(3) {
			out = append(out, doc(false))
		}
		return out
	}
	set := Set{Identity: docs()}
	if r.Intn(2) == 0 {
		set.Boundary = append([]*Document{}, docs()...)
	}
	if r.Intn(2) == 0 {
		set.Session = append([]*Document{}, docs()...)
	}
	if r.Intn(2) == 0 {
		set.Endpoint = append([]*Document{}, docs()...)
	}
	if r.Intn(3) == 0 {
		return set, nil
	}
	g := &Guard{Foreign: r.Intn(3) == 0, Sole: r.Intn(3) == 0}
	if r.Intn(4) > 0 {
		g.Document = doc(true)
	}
	return set, g
}

var someRequest = Request{
	Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Context: Context{"k": {"v"}},
	Principals: []Principal{{"AWS", "arn:aws:iam::123456789012:user/u"}, {"AWS", "arn:aws:iam::123456789012:root"}},
}

// TestDecideProperties holds random policies to what must always be so: a Deny anywhere
// refuses; an Allow more never takes a permission away; nothing allows nothing; another
// account needs both sides; and limits only ever limit.
func TestDecideProperties(t *testing.T) {
	r := rand.New(rand.NewSource(11))
	everything := Everything()
	allowAll := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	denyAll := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)
	with := func(docs []*Document, d *Document) []*Document {
		if docs == nil {
			return nil
		}
		return append(slices.Clone(docs), d)
	}
	for range 20000 {
		set, g := someSet(t, r)
		v := set.Decide(&someRequest, g)
		if v.Allowed != (v.Reason == "") || v.Allowed && v.Denied {
			t.Fatalf("%+v", v)
		}
		denied := evaluateAll(set.Identity, &someRequest) == Deny || evaluateAll(set.Boundary, &someRequest) == Deny ||
			evaluateAll(set.Session, &someRequest) == Deny || evaluateAll(set.Endpoint, &someRequest) == Deny || g != nil && g.Document != nil && g.Document.Evaluate(&someRequest) == Deny
		if denied != v.Denied {
			t.Fatalf("denied %v, said %+v", denied, v)
		}
		more := Set{append(slices.Clone(set.Identity), everything), with(set.Boundary, everything), with(set.Session, everything), with(set.Endpoint, everything)}
		if v.Allowed && !more.Decide(&someRequest, g).Allowed {
			t.Fatal("an Allow took a permission away")
		}
		less := Set{append(slices.Clone(set.Identity), denyAll), set.Boundary, set.Session, set.Endpoint}
		if less.Decide(&someRequest, g).Allowed {
			t.Fatal("a Deny did not win")
		}
		if set.Endpoint != nil && v.Allowed && evaluateAll(set.Endpoint, &someRequest) != Allow {
			t.Fatal("allowed without the endpoint's policy")
		}
		if (&Set{}).Decide(&someRequest, nil).Allowed {
			t.Fatal("nothing allowed something")
		}
		if g == nil {
			continue
		}
		if g.Document == nil && (g.Foreign || g.Sole) && v.Allowed {
			t.Fatal("allowed without the resource's policy")
		}
		foreign := Guard{g.Document, true, g.Sole}
		if set.Decide(&someRequest, &foreign).Allowed && !v.Allowed && !g.Foreign {
			t.Fatal("another account may what the resource's own may not")
		}
		if foreign.Foreign && set.Decide(&someRequest, &foreign).Allowed && evaluateAll(set.Identity, &someRequest) != Allow {
			t.Fatal("allowed across accounts without the caller's own policy")
		}
		if g.Document != nil && v.Allowed {
			open := Guard{&Document{Statements: append(slices.Clone(g.Document.Statements), allowAll.Statements...)}, g.Foreign, g.Sole}
			if !set.Decide(&someRequest, &open).Allowed {
				t.Fatal("an Allow of the resource took a permission away")
			}
		}
	}
}

// TestMatches agrees with Evaluate, and names statements of its effect only.
func TestMatches(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 5000 {
		set, _ := someSet(t, r)
		for _, d := range set.Identity {
			effect, statements := d.Matches(&someRequest)
			if effect != d.Evaluate(&someRequest) || (effect == Neutral) != (len(statements) == 0) {
				t.Fatalf("%v %v", effect, statements)
			}
			for _, i := range statements {
				if d.Statements[i].Deny != (effect == Deny) {
					t.Fatal("a statement of the other effect")
				}
				start, end := d.Span(i)
				if start.Line != 1 || end.Column <= start.Column {
					t.Fatalf("from %+v to %+v", start, end)
				}
			}
		}
	}
}

// FuzzWild compares the two matchers: bytes and UTF-16 units.
func FuzzWild(f *testing.F) {
	f.Add("s3:*Obj?ct", "s3:GetObject")
	f.Add("**a*?", "aab")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, text, s string) {
		if !ascii(text) || !ascii(s) {
			return
		}
		g, _ := compile(text, nil, false)
		if got, want := wild(text, s, false), g.match(s); got != want {
			t.Fatalf("%q on %q: %v, want %v", text, s, got, want)
		}
		p := newPattern(text, false)
		if got, want := p.match(s, nil), g.match(s); got != want {
			t.Fatalf("pattern %q on %q: %v, want %v", text, s, got, want)
		}
		if got, want := wild(text, s, true), wild(strings.ToLower(text), strings.ToLower(s), false); got != want {
			t.Fatalf("folded %q on %q: %v, want %v", text, s, got, want)
		}
	})
}

// FuzzDecide evaluates whatever parses, as each kind of policy: it does not fail, and
// what a Deny refuses stays refused.
func FuzzDecide(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:*"],"Resource":"arn:aws:s3:::${k}/*","Condition":{"StringLike":{"k":"v*"}}}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["123456789012"]},"NotAction":"s3:Get*","NotResource":"*"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		e := d.Evaluate(&someRequest)
		set := Set{Identity: []*Document{Everything()}}
		guard := &Guard{Document: d}
		if v := set.Decide(&someRequest, guard); v.Allowed == (e == Deny) {
			t.Fatalf("evaluates to %v, decided %+v", e, v)
		}
		for i := range d.Statements {
			d.Span(i)
		}
		d.Missing(&someRequest)
		d.Keys()
	})
}

// BenchmarkDecide decides about a request by one statement and by the last of 100.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 100} {
		var all []map[string]any
		for i := range n {
			s := map[string]any{"Effect": "Allow", "Action": []string{fmt.Sprintf("svc%d:Get*", i), fmt.Sprintf("svc%d:List*", i)}, "Resource": "arn:aws:svc:*:123456789012:thing/*"}
			if i == n-1 {
				s["Action"], s["Resource"] = []string{"s3:Get*", "s3:List*"}, []string{"arn:aws:s3:::a/*", "arn:aws:s3:::b/*"}
				s["Condition"] = map[string]any{"StringEquals": map[string]string{"k": "v"}}
			}
			all = append(all, s)
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
		if err != nil {
			b.Fatal(err)
		}
		d, err := Parse(string(text))
		if err != nil {
			b.Fatal(err)
		}
		set := Set{Identity: []*Document{d}}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !set.Decide(&someRequest, nil).Allowed {
					b.Fatal("refused")
				}
			}
		})
	}
}
