package pattern

import (
	"fmt"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct{ pattern, yes, no string }{ // messages between "|"
		{"", "|x|{}", "-"},
		{"ERROR", "ERROR|an ERROR:|xERRORx", "error|"},
		{"ERROR ARGUMENTS", "ARGUMENTS ERROR", "ERROR|ARGUMENTS"},
		{"?ERROR ?WARN", "ERROR|WARN", "INFO"},
		{"?ERROR ?WARN INFO", "INFO|ERROR INFO", "ERROR"},
		{"ERROR -EXITING", "ERROR", "ERROR EXITING|EXITING"},
		{"-A -B", "C|", "A|B"},
		{`"INTERNAL SERVER" x`, "x INTERNAL SERVER", "INTERNAL x SERVER"},
		{`"say \"hi\" \\"`, `say "hi" \`, "say hi"},
		{`?"a b" ?"c:d"`, "a b|c:d", "a c"},
		{`-"a b"`, "a", "xa bx"},
		{`%AUTH[0-9]{2}\s%`, "AUTH12 x", "AUTH1 x|AUTH123"},
		{"été_1", "un été_1", "ete_1"},

		{`{ $.a = "x" }`, `{"a":"x"}|  {"a":"x"} `, `{"a":"X"}|{"b":"x"}|a x|{"a":"x"|{"a":"x"} y|[{"a":"x"}]|{"a":null}|{"a":{"x":1}}`},
		{`{$.a=x}`, `{"a":"x"}`, `{"a":"xy"}`},
		{`{ $.a = x* }`, `{"a":"x"}|{"a":"xyz"}`, `{"a":"ax"}`},
		{`{ $.a = "*x*z" }`, `{"a":"xz"}|{"a":"1x2z"}`, `{"a":"zx"}`},
		{`{ $.ip != 123.123.* }`, `{"ip":"1.2.3.4"}`, `{"ip":"123.123.1.1"}|{}`},
		{`{ $.n = 1 }`, `{"n":1}|{"n":1.0}|{"n":10e-1}`, `{"n":"1"}|{"n":2}|{"n":true}`},
		{`{ $.n = "1" }`, `{"n":"1"}`, `{"n":1}`},
		{`{ $.n != 1 }`, `{"n":2}|{"n":"1"}`, `{"n":1}|{}`},
		{`{ $.n > 1.5e1 }`, `{"n":15.1}|{"n":16}`, `{"n":15}|{"n":"16"}`},
		{`{ $.n >= -2 }`, `{"n":-2}`, `{"n":-2.5}`},
		{`{ $.n < 3 }`, `{"n":2}`, `{"n":3}`},
		{`{ $.n <= 3 }`, `{"n":3}`, `{"n":4}`},
		{`{ $.n = 4* }`, `{"n":404}|{"n":"4xx"}`, `{"n":500}`},
		{`{ $.a = %^x[0-9]+$% }`, `{"a":"x12"}`, `{"a":"x"}|{"a":"yx1"}`},
		{`{ $.a != %x% }`, `{"a":"y"}`, `{"a":"x"}`},
		{`{ $.a IS NULL }`, `{"a":null}`, `{}|{"a":0}|{"a":"null"}`},
		{`{ $.a NOT EXISTS }`, `{}|{"b":1}`, `{"a":null}|{"a":[]}|{"a":1}`},
		{`{ $.a IS TRUE }`, `{"a":true}`, `{"a":false}|{"a":"true"}|{"a":1}`},
		{`{ $.a IS FALSE }`, `{"a":false}`, `{"a":true}|{}|{"a":{}}`},
		{`{ $.a = true }`, `{"a":true}|{"a":"true"}`, `{"a":false}`},
		{`{ $.a.b.c = 1 }`, `{"a":{"b":{"c":1}}}`, `{"a":{"b":1}}|{"a":[{"b":{"c":1}}]}`},
		{`{ $.a[0] = "x" }`, `{"a":["x","y"]}`, `{"a":["y","x"]}|{"a":[]}|{"a":"x"}`},
		{`{ $.a[1].b = 2 }`, `{"a":[0,{"b":2}]}`, `{"a":[{"b":2}]}`},
		{`{ $.a[*].b = 2 }`, `{"a":[{"b":1},{"b":2}]}`, `{"a":[{"b":1}]}`},
		{`{ $.*.b = 2 }`, `{"x":{"b":1},"y":{"b":2}}`, `{"b":2}`},
		{`{ $.a = 2 }`, `{"a":[1,2]}`, `{"a":[1]}|{"a":[[2]]}`},
		{`{ $.a-b_c = 2 }`, `{"a-b_c":2}`, `{"a":2}`},
		{`{ $.a = 1 && $.b = 2 }`, `{"a":1,"b":2}`, `{"a":1}|{"b":2}`},
		{`{ $.a = 1 || $.b = 2 && $.c = 3 }`, `{"a":1}|{"b":2,"c":3}`, `{"b":2}|{"c":3}`},
		{`{ ($.a = 1 || $.b = 2) && $.c = 3 }`, `{"a":1,"c":3}|{"b":2,"c":3}`, `{"a":1}|{"b":2}|{"c":3}`},
		{`{ (($.a = 1)) }`, `{"a":1}`, `{"a":2}`},
		{`{ $.a = "é \"q\"" }`, `{"a":"é \"q\""}`, `{"a":"e"}`},

		{"[a, b]", "x y|x [y z]", "x|x y z|"},
		{"[a=x, b!=y]", "x z", "x y|z z"},
		{"[..., status=404, size]", "a b 404 1|404 1", "a 404|200 1|1"},
		{"[ip, ...]", "1|1 2 3", "|  "},
		{"[a, ..., z=9]", "1 9|1 2 9", "9|1 8"},
		{"[ip, user, time, request=*html*, status=4*, size>1000]", `1.2.3.4 u [10/Oct/2000:13:25:15 -0700] "GET /x.html HTTP/1.0" 404 1534`, `1.2.3.4 u [t] "GET /x" 404 1534|1.2.3.4 u [t] "GET /x.html" 404 999|1 u t x.html 404 many`},
		{"[w1=ERROR || w1=WARN, ...]", "ERROR x|WARN x", "INFO x"},
		{"[w1!=ERROR && w1!=WARN, w2]", "INFO x", "ERROR x|WARN x"},
		{"[(w1=A || w1=B) && w1!=B, w2]", "A x", "B x|C x"},
		{"[ip=%127\\.0\\.0\\.[1-9]%, ...]", "127.0.0.1 x", "127.0.0.0 x"},
		{"[n=7]", "7|7.0", "8|x"},
		{"[n!=7]", "8|x", "7"},
		{`[a="x y", b]`, `"x y" z|[x y] z`, `x z`},
	}
	for _, tt := range tests {
		p, err := Compile(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for _, m := range strings.Split(tt.yes, "|") {
			if !p.Match(m) {
				t.Errorf("%s does not match %q", tt.pattern, m)
			}
		}
		for _, m := range strings.Split(tt.no, "|") {
			if tt.no != "-" && p.Match(m) {
				t.Errorf("%s matches %q", tt.pattern, m)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	general := ErrInvalid.Error()
	term := func(s string) string { return "Invalid character(s) in term '" + s + "'" }
	wild := "Your filter pattern has a JSON path selector that exceeds the maximum of 1 wildcard allowed per json selector."
	for pattern, want := range map[string]string{
		"{ $.v == 1 }":                      general,
		"{ $.v IS NOT NULL }":               general,
		"{ $.v > 0 AND $.w > 0 }":           general,
		"{ NOT ($.v = 1) }":                 term("NOT"),
		"{ !($.v = 1) }":                    term("!("),
		`{ $.v > "Alpha" }`:                 term(`"Alpha"`),
		"{ $.v > Alpha }":                   term("Alpha"),
		"%(A|B)%":                           term("%("),
		"{ $..v = 1 }":                      term("$.."),
		"{ $.a..v = 1 }":                    term("$.a.."),
		"{ $.a[*].b[*] = 1 }":               wild,
		"{ $.*.* = 1 }":                     wild,
		"{":                                 general,
		"{}":                                general,
		"{ $.a }":                           general,
		"{ $.a = }":                         general,
		"{ $. = 1 }":                        general,
		"{ $ = 1 }":                         general,
		"{ $.a[-1] = 1 }":                   general,
		"{ $.a[x] = 1 }":                    general,
		"{ $.a[1 = 1 }":                     general,
		"{ $.a. = 1 }":                      general,
		"{ ($.a = 1 }":                      general,
		"{ $.a = 1) }":                      general,
		"{ $.a = 1 && }":                    general,
		"{ $.a = 1 & $.b = 2 }":             general,
		`{ $.a = "x }`:                      general,
		"{ $.a NOT NULL }":                  general,
		"{ $.a > %x% }":                     general,
		"{ $.a = %[% }":                     general,
		"{ $.a = x/y }":                     term("x/y"),
		"{ a = 1 }":                         term("a"),
		"{ = 1 }":                           general,
		"[":                                 general,
		"[]":                                general,
		"[a,]":                              general,
		"[a b]":                             general,
		"[..., a, ...]":                     general,
		"[a=1 && b=2]":                      general,
		"[a.b]":                             term("a.b"),
		"ERROR:":                            term("ERROR:"),
		"a.b c":                             term("a.b"),
		"-":                                 general,
		"a ? b":                             general,
		`"open`:                             general,
		"%open":                             general,
		"%a% %b% %c%":                       general,
		"{ $.a=%a% || $.a=%b% || $.a=%c% }": general,
	} {
		_, err := Compile(pattern)
		if fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestExtract(t *testing.T) {
	tests := []struct{ pattern, message, want string }{
		{"a", "a", "map[]"},
		{"[ip, id, user, time, request, status=2*, size]", `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /a.gif HTTP/1.0" 200 1534`,
			"map[$id:- $ip:127.0.0.1 $request:GET /a.gif HTTP/1.0 $size:1534 $status:200 $time:10/Oct/2000:13:25:15 -0700 $user:frank]"},
		{"[..., size]", "a [b c] 9", "map[$1:a $2:b c $size:9]"},
		{`{ $.a = 1 || $.b.c = "x" || $.d IS TRUE }`, `{"a":1.50,"b":{"c":"x"},"d":true,"e":1}`, "map[$.a:1.50 $.b.c:x $.d:true]"},
		{"{ $.a NOT EXISTS }", "{}", "map[]"},
	}
	for _, tt := range tests {
		p, err := Compile(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		} else if got := fmt.Sprint(p.Extract(tt.message)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.pattern, got, tt.want)
		}
	}
}

// FuzzCompile checks that no pattern and no message break the matcher, and that
// a quoted term finds itself.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`a -b ?c "d" %e%`, `{ ($.a[0].b = "x*" && $.c IS NULL) || $.d NOT EXISTS }`, `[a, b>1, ..., c=%x%]`, "{ $.*.a != -1e5 }"} {
		f.Add(s, `{"a":[{"b":"xy"}],"c":null}`)
		f.Add(s, `1 2 [3 4] "5`)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		if p, err := Compile(pattern); err == nil {
			p.Match(message)
			if p.Extract(message) == nil {
				t.Error("no map")
			}
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(message) + `"`
		p, err := Compile(quoted)
		if err != nil || !p.Match("<"+message+">") {
			t.Errorf("%s: %v", quoted, err)
		}
	})
}
