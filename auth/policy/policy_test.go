package policy

import (
	"encoding/json"
	"math/rand"
	"strings"
	"testing"
)

func must(t *testing.T, text string) *Document {
	t.Helper()
	d, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func statement(body string) string {
	return `{"Version":"2012-10-17","Statement":[{` + body + `}]}`
}

func TestEvaluate(t *testing.T) {
	const run, task = "ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task/c/t"
	ctx := Context{}
	ctx.Set("aws:username", "al*ce")
	ctx.Set("aws:PrincipalTag/team", "red")
	tests := []struct {
		body             string
		action, resource string
		want             Effect
	}{
		{`"Effect":"Allow","Action":"*","Resource":"*"`, run, "*", Allow},
		{`"Effect":"Allow","Action":"ECS:run*","Resource":"*"`, run, task, Allow},
		{`"Effect":"Allow","Action":"ecs:Run","Resource":"*"`, run, task, Neutral},
		{`"Effect":"Allow","Action":"ecs:RunTas?","Resource":"*"`, run, task, Allow},
		{`"Effect":"Allow","Action":[],"Resource":"*"`, run, task, Neutral},
		{`"Effect":"Allow","Resource":"*"`, run, task, Neutral},
		{`"Effect":"Allow","Action":"*"`, run, task, Neutral},
		{`"Effect":"Allow","NotAction":"iam:*","Resource":"*"`, run, task, Allow},
		{`"Effect":"Allow","NotAction":["iam:*","ecs:*"],"Resource":"*"`, run, task, Neutral},
		{`"Effect":"Deny","NotAction":"iam:*","Resource":"*"`, run, task, Deny},
		{`"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:*:*:task/c/*"`, run, task, Allow},
		{`"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:*:*:TASK/c/*"`, run, task, Neutral},
		{`"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:*:task/c/*"`, run, task, Neutral},
		{`"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:*:*:*"`, run, "*", Neutral},
		{`"Effect":"Allow","Action":"ecs:*","NotResource":"arn:aws:ecs:*:*:task/c/*"`, run, task, Neutral},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"`, run, "arn:aws:iam::1:user/al*ce", Allow},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"`, run, "arn:aws:iam::1:user/alice", Neutral},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:nosuch}"`, run, "arn:aws:iam::1:user/", Neutral},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:nosuch, 'x'}"`, run, "arn:aws:iam::1:user/x", Allow},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${*}"`, run, "arn:aws:iam::1:user/x", Neutral},
		{`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:PrincipalTag/team}/*"`, run, "arn:aws:s3:::red/k", Allow},
	}
	for _, tt := range tests {
		d := must(t, statement(tt.body))
		if got := d.Evaluate(&Request{Action: tt.action, Resource: tt.resource, Context: ctx}); got != tt.want {
			t.Errorf("%s on %s = %v, want %v", tt.body, tt.resource, got, tt.want)
		}
	}
	old := must(t, strings.Replace(statement(`"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"`), "2012-10-17", "2008-10-17", 1))
	if old.Evaluate(&Request{Action: run, Resource: "arn:aws:iam::1:user/al*ce", Context: ctx}) != Neutral {
		t.Error("version 2008-10-17 expands variables")
	}
}

func TestConditions(t *testing.T) {
	ctx := Context{}
	ctx.Set("k", "Value")
	ctx.Set("n", "10")
	ctx.Set("bad", "ten")
	ctx.Set("when", "2026-03-01T12:00:00Z")
	ctx.Set("ip", "10.1.2.3")
	ctx.Set("mapped", "::ffff:10.1.2.3")
	ctx.Set("six", "2001:db8::1")
	ctx.Set("yes", "TRUE")
	ctx.Set("empty", "")
	ctx.Set("a", "arn:aws:ecs:us-east-1:123456789012:task/x")
	ctx.Set("aws:TagKeys", "team", "stage")
	ctx.Set("kelvin", "ſ")
	tests := []struct {
		condition string
		want      bool
	}{
		{`"StringEquals":{"K":"Value"}`, true},
		{`"StringEquals":{"k":["x","Value"]}`, true},
		{`"StringEquals":{"k":"value"}`, false},
		{`"StringEqualsIgnoreCase":{"k":"vALUE"}`, true},
		{`"StringEqualsIgnoreCase":{"kelvin":"S"}`, false},
		{`"StringNotEquals":{"k":["x","y"]}`, true},
		{`"StringNotEquals":{"k":["x","Value"]}`, false},
		{`"StringNotEquals":{"absent":"x"}`, true},
		{`"StringEquals":{"absent":"x"}`, false},
		{`"StringEqualsIfExists":{"absent":"x"}`, true},
		{`"StringLike":{"k":"V*e"}`, true},
		{`"StringLike":{"k":"V?e"}`, false},
		{`"StringNotLike":{"k":"V*e"}`, false},
		{`"NumericLessThan":{"n":11}`, true},
		{`"NumericGreaterThanEquals":{"n":"10"}`, true},
		{`"NumericNotEquals":{"bad":"10"}`, true},
		{`"NumericEquals":{"bad":"10"}`, false},
		{`"DateGreaterThan":{"when":"2026-02-28T00:00:00Z"}`, true},
		{`"DateLessThan":{"when":"1"}`, false},
		{`"DateNotEquals":{"bad":"2026-02-28"}`, true},
		{`"Bool":{"yes":"true"}`, true},
		{`"Bool":{"k":"false"}`, true},
		{`"IpAddress":{"ip":"10.1.0.9/16"}`, true},
		{`"IpAddress":{"ip":"010.001.2.3"}`, true},
		{`"IpAddress":{"mapped":"10.1.2.0/24"}`, true},
		{`"IpAddress":{"six":"2001:db8::/32"}`, true},
		{`"IpAddress":{"six":"2001:db8::1/32"}`, false},
		{`"NotIpAddress":{"ip":"10.2.0.0/16"}`, true},
		{`"NotIpAddress":{"bad":"10.2.0.0/16"}`, false},
		{`"ArnLike":{"a":"arn:aws:ecs:*:*:task/*"}`, true},
		{`"ArnEquals":{"a":"arn:aws:ecs:*:task/*"}`, false},
		{`"ArnNotLike":{"bad":"arn:aws:ecs:*:*:task/*"}`, false},
		{`"ArnNotLike":{"a":"arn:aws:ecs:*:*:cluster/*"}`, true},
		{`"Null":{"absent":"true"}`, true},
		{`"Null":{"absent":"false"}`, false},
		{`"Null":{"empty":"false"}`, true},
		{`"StringEquals":{"aws:TagKeys":"team"}`, false},
		{`"StringNotEquals":{"aws:TagKeys":"x"}`, false},
		{`"StringEqualsIfExists":{"aws:TagKeys":"team"}`, false},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}`, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":"team"}`, false},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","stage","x"]}`, true},
		{`"ForAllValues:StringEquals":{"absent":"x"}`, true},
		{`"ForAnyValue:StringEquals":{"absent":"x"}`, false},
		{`"StringEquals":{"k":"Value"},"Bool":{"yes":false}`, false},
	}
	for _, tt := range tests {
		d := must(t, statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+tt.condition+`}`))
		got := d.Evaluate(&Request{Action: "a:b", Resource: "*", Context: ctx}) == Allow
		if got != tt.want {
			t.Errorf("%s = %v, want %v", tt.condition, got, tt.want)
		}
	}
}

func TestPrincipals(t *testing.T) {
	r := &Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/r", Principals: []Principal{
		{"AWS", "arn:aws:iam::123456789012:user/u"}, {"AWS", "arn:aws:iam::123456789012:root"}}}
	for body, want := range map[string]Effect{
		`"Principal":"*"`:                                           Allow,
		`"Principal":{"AWS":"*"}`:                                   Allow,
		`"Principal":{"AWS":["x"]}`:                                 Neutral,
		`"Principal":{"Service":"*"}`:                               Neutral,
		`"Principal":{"AWS":"123456789012"}`:                        Allow,
		`"Principal":{"AWS":"arn:aws:iam::123456789012:user/u"}`:    Allow,
		`"Principal":{"AWS":"arn:aws:iam::123456789012:user/*"}`:    Neutral,
		`"Principal":{"Service":"ecs-tasks.amazonaws.com"}`:         Neutral,
		`"NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/u"}`: Neutral,
		`"NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/w"}`: Allow,
	} {
		d := must(t, statement(`"Effect":"Allow","Action":"sts:AssumeRole",`+body))
		if got := d.Evaluate(r); got != want {
			t.Errorf("%s = %v, want %v", body, got, want)
		}
	}
}

func TestDecide(t *testing.T) {
	all := []*Document{must(t, statement(`"Effect":"Allow","Action":"*","Resource":"*"`))}
	deny := append(all, must(t, statement(`"Effect":"Deny","Action":"ecs:RunTask","Resource":"*"`)))
	none := []*Document{}
	tests := []struct {
		set  Set
		want string
	}{
		{Set{}, "because no identity-based policy allows the ecs:RunTask action"},
		{Set{Identity: all}, ""},
		{Set{Identity: deny}, "with an explicit deny in an identity-based policy"},
		{Set{Identity: all, Boundary: none}, "because no permissions boundary allows the ecs:RunTask action"},
		{Set{Identity: all, Boundary: deny}, "with an explicit deny in a permissions boundary"},
		{Set{Identity: all, Boundary: all, Session: none}, "because no session policy allows the ecs:RunTask action"},
		{Set{Identity: none, Session: deny}, "with an explicit deny in a session policy"},
		{Set{Identity: all, Boundary: all, Session: all}, ""},
	}
	for _, tt := range tests {
		v := tt.set.Decide(&Request{Action: "ecs:RunTask", Resource: "*"}, nil)
		if v.Reason != tt.want || v.Allowed != (tt.want == "") {
			t.Errorf("%+v: %+v, want %q", tt.set, v, tt.want)
		}
	}
}

// TestMonotone adds random statements to random policies: a Deny is final, and
// adding an Allow never takes a permission away.
func TestMonotone(t *testing.T) {
	r := rand.New(rand.NewSource(7))
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	random := func(effect string) Statement {
		d := must(t, statement(`"Effect":"`+effect+`","`+pick("Action", "NotAction")+`":"`+pick("*", "ecs:*", "ecs:Run*", "iam:*")+
			`","`+pick("Resource", "NotResource")+`":"`+pick("*", "arn:aws:ecs:*:*:task/*")+
			`","Condition":{"`+pick("StringEquals", "StringNotEquals", "StringLikeIfExists")+`":{"`+pick("k", "absent")+`":"`+pick("v", "w")+`"}}`))
		return d.Statements[0]
	}
	req := &Request{Action: "ecs:RunTask", Resource: "arn:aws:ecs:us-east-1:123456789012:task/x", Context: Context{"k": {"v"}}}
	for range 5000 {
		d := &Document{}
		for range r.Intn(4) {
			d.Statements = append(d.Statements, random(pick("Allow", "Deny")))
		}
		before := d.Evaluate(req)
		d.Statements = append(d.Statements, random("Allow"))
		if after := d.Evaluate(req); after < before || after == Deny && before != Deny {
			t.Fatalf("adding an Allow turned %v into %v: %+v", before, after, d)
		}
		before = d.Evaluate(req)
		d.Statements = append(d.Statements, random("Deny"))
		if after := d.Evaluate(req); after != before && after != Deny {
			t.Fatalf("adding a Deny turned %v into %v", before, after)
		}
	}
}

func TestCheck(t *testing.T) {
	const ok = `"Effect":"Allow","Action":"s3:*","Resource":"*"`
	const trust = `"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs-tasks.amazonaws.com"}`
	tests := []struct {
		text string
		kind Kind
		want string
	}{
		{statement(ok), Managed, ""},
		{`{"Statement":{` + ok + `}}`, Inline, ""},
		{`{"Statement":{` + ok + `}}`, Managed, "Policy document must be version 2012-10-17 or greater."},
		{`{`, Managed, "Syntax errors in policy."},
		{`{"Version":"2012-10-17"}`, Managed, "Syntax errors in policy."},
		{`{"Version":"2012-10-17","Statement":[]}`, Managed, "Syntax errors in policy."},
		{`{"Version":"2012-10-18","Statement":{` + ok + `}}`, Managed, "Syntax errors in policy."},
		{statement(ok) + "x", Managed, "Syntax errors in policy."},
		{statement(ok + `,"Extra":1`), Managed, "Syntax errors in policy."},
		{statement(ok + `,"Resource":"*"`), Managed, "Syntax errors in policy."},
		{statement(ok + `,"NotResource":"*"`), Managed, "Syntax errors in policy."},
		{statement(ok + `,"Condition":{"StringIs":{"k":"v"}}`), Managed, "Syntax errors in policy."},
		{statement(ok + `,"Condition":{"NumericEquals":{"k":"v"}}`), Managed, "Syntax errors in policy."},
		{statement(ok + `,"Condition":{"NumericEquals":{"k":"v"}}`), Session, ""},
		{statement(`"Effect":"allow","Action":"s3:*","Resource":"*"`), Managed, "Syntax errors in policy."},
		{statement(`"Effect":"Allow","Resource":"*"`), Managed, "Policy statement must contain actions."},
		{statement(`"Effect":"Allow","Action":"s3:*"`), Managed, "Policy statement must contain resources."},
		{statement(`"Effect":"Allow","Action":"s3","Resource":"*"`), Managed, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{statement(`"Effect":"Allow","Action":"s3:a:b","Resource":"*"`), Managed, "Actions/Condition can contain only one colon."},
		{statement(`"Effect":"Allow","Action":"s 3:a","Resource":"*"`), Managed, "Vendor s 3 is not valid"},
		{statement(`"Effect":"Allow","Action":"s3:*","Resource":"bucket"`), Managed, `Resource bucket must be in ARN format or "*".`},
		{statement(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3"`), Managed, "The policy failed legacy parsing"},
		{statement(`"Effect":"Allow","Action":"s3:*","Resource":"arn:xx:s3:::b"`), Managed, `Partition "xx" is not valid for resource "arn:xx:s3:::b".`},
		{statement(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s*:::b"`), Managed, "Resource vendor must be fully qualified and cannot contain regexes."},
		{statement(ok + `,"Principal":"*"`), Managed, "Policy document should not specify a principal."},
		{`{"Version":"2012-10-17","Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, Managed, "Statement IDs (SID) in a single policy must be unique."},
		{statement(trust), Trust, ""},
		{statement(trust + `,"Sid":"any text"`), Trust, ""},
		{`{`, Trust, "This policy contains invalid Json"},
		{statement(trust + `,"Resource":"*"`), Trust, "Has prohibited field Resource"},
		{statement(`"Effect":"Allow","Action":"sts:AssumeRole"`), Trust, "Missing required field Principal"},
		{statement(strings.Replace(trust, "sts:AssumeRole", "s3:Get", 1)), Trust, "AssumeRole policy may only specify STS AssumeRole actions."},
		{statement(strings.Replace(trust, "ecs-tasks.amazonaws.com", "ecs", 1)), Trust, `Invalid principal in policy: "SERVICE":"ecs"`},
		{statement(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"me"}`), Trust, `Invalid principal in policy: "AWS":"me"`},
		{statement(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/a/b"]}`), Trust, ""},
	}
	for _, tt := range tests {
		_, err := Check(tt.text, tt.kind)
		if got := text(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParse(f *testing.F) {
	f.Add(statement(`"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::${aws:username}","Condition":{"Bool":{"a":true}}`))
	f.Add(statement(`"Effect":"Deny","NotPrincipal":{"AWS":["*"]},"Action":"sts:AssumeRole"`))
	f.Add(`{"Statement":{"Effect":"Allow","NotAction":[],"NotResource":[null]}}`)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatal("accepted invalid JSON")
		}
		deny := false
		for _, st := range d.Statements {
			deny = deny || st.Deny
		}
		e := d.Evaluate(&Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::x", Context: Context{"a": {"true"}}})
		if e == Deny && !deny {
			t.Fatal("denied without a Deny")
		}
	})
}
