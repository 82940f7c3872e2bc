package expr

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// record is a map as a record.
type record map[string]Value

func (r record) Field(name string) Value { return r[name] }

var sample = record{
	"@timestamp": Millis(1642195111123), // 2022-01-14 21:18:31.123
	"n":          String("10"), "f": String("2.5"), "s": String("Exception at 7"), "empty": String(""), "blank": String(" \t"),
	"ip": String("192.0.2.7"), "ip6": String("2001:db8::1"), "foo-bar": String("dash"), "a.b": String("dotted"), "list.0": String("first"),
	"json": String(`{"k":{"x.y":[1,2.50]},"t":true}`),
}

func eval(t *testing.T, text string) (Value, error) {
	t.Helper()
	p, err := NewParser(text)
	if err != nil {
		return Value{}, err
	}
	n, err := p.Expr()
	if err != nil {
		return Value{}, err
	}
	if p.Peek().Class != End {
		return Value{}, p.Unexpected()
	}
	return n.Eval(sample), nil
}

func TestEval(t *testing.T) {
	null := "(null)"
	for text, want := range map[string]string{
		// Arithmetic, by AWS's own table.
		"1 + 2 * 3": "7", "(1 + 2) * 3": "9", "2 ^ 3": "8", "2 ^ 3 ^ 2": "512", "10 % 3": "1", "7 - 2 - 1": "4", "-n + 1": "-9", "1 / 3": "0.3333",
		"n / 0": null, "s + 1": null, "missing + 1": null, "n*f": "25", "100000000 * 100000000": "10000000000000000",
		// Comparison.
		"n > 9": "1", "n < 9": "0", `n = "10.0"`: "1", `n != "11"`: "1", `"b" > "a"`: "1", "missing > 1": "0", "missing = missing": "0", "missing != 1": "1",
		"n >= 10 and n <= 10": "1", "n = 1 or f = 2.5": "1", "not n = 1": "1", "not (n = 10)": "0", "n in [1, 10, 100]": "1", `s in ["Exception"]`: "0", "n not in [1]": "1",
		// Precedence: and binds closer than or, arithmetic closer than comparison.
		"1 = 1 or 1 = 2 and 1 = 3": "1", "n + 1 = 11": "1",
		`s like "Exception"`: "1", `s like 'exception'`: "0", `s like /(?i)exception/`: "1", `s =~ /at \d$/`: "1", `s not like /x+y/`: "1", `missing like ""`: "0", `missing not like "a"`: "1",
		`s like /a[t/] \d/`: "1", `"a/b" like /a\/b/`: "1",
		// Numeric functions.
		"abs(0-3)": "3", "ceil(2.1)": "3", "floor(2.9)": "2", "greatest(1, n, 3)": "10", "least(1, n, 3)": "1", "sqrt(16)": "4", "log(1)": "0", "round(2.567, 1)": "2.6", "abs(s)": null, "sqrt(0-1)": null,
		// Date and time.
		"bin(5m)": "2022-01-14 21:15:00.000", "datefloor(@timestamp, 1h)": "2022-01-14 21:00:00.000", "dateceil(@timestamp, 1h)": "2022-01-14 22:00:00.000",
		"bin(1d)": "2022-01-14 00:00:00.000", "bin(1mo)": "2022-01-01 00:00:00.000", "dateceil(@timestamp, 1q)": "2022-04-01 00:00:00.000", "bin(250ms)": "2022-01-14 21:18:31.000", "bin(1y)": "2022-01-01 00:00:00.000",
		"toMillis(@timestamp)": "1642195111123", "fromMillis(1642195111123)": "2022-01-14 21:18:31.123", "fromMillis(s)": null, "@timestamp > 1642195111122": "1",
		// General functions.
		"ispresent(n)": "1", "ispresent(missing)": "0", "ispresent(empty)": "1", "coalesce(missing, empty, n)": "", "coalesce(missing)": null,
		`if(n > 5, "big", "small")`: "big", `case(n < 5, "small", n < 50, "medium", "large")`: "medium",
		// JSON.
		"jsonParse(json).k": "-", "jsonStringify(s)": `"Exception at 7"`, `jsonParse('[1, 2]')`: "[1,2]", "jsonParse(s)": null,
		// IP addresses.
		"isValidIp(ip)": "1", "isValidIp(ip6)": "1", "isValidIp(s)": "0", "isValidIpV4(ip6)": "0", "isValidIpV6(ip6)": "1",
		`isIpv4InSubnet(ip, "192.0.2.0/24")`: "1", `isIpv4InSubnet(ip, "192.0.3.0/24")`: "0", `isIpInSubnet(ip6, "2001:db8::/32")`: "1", `isIpv6InSubnet(ip, "2001:db8::/32")`: "0", `isIpInSubnet(ip, "nonsense")`: "0",
		// Strings, by AWS's own examples.
		`ltrim("xyZxyfooxyZ","xyZ")`: "fooxyZ", `rtrim("xyZfooxyxyZ","xyZ")`: "xyZfoo", `trim("xyZxyfooxyxyZ","xyZ")`: "foo", `trim("  a b ")`: "a b",
		`substr("xyZfooxyZ",3, 3)`: "foo", `substr("xyZfoo",3)`: "foo", `substr("ab", 5)`: "", `substr("ab", 0, 9)`: "ab", `substr("héllo", 1, 1)`: "é",
		`replace("a smoke_test b","smoke_test","Smoke")`: "a Smoke b", `strcontains("abc", "b")`: "1", `strcontains("abc", "x")`: "0", `strcontains("ABC", "b", true)`: "0", `strlen("héé")`: "3",
		`toupper("aé")`: "AÉ", `tolower("AB")`: "ab", "concat(n, '-', f)": "10-2.5", "isempty(empty)": "1", "isempty(missing)": "1", "isempty(n)": "0", "isblank(blank)": "1", "isblank(missing)": "1", "isblank(n)": "0",
		`STRLEN("ab")`: "2", `startsWith(s, "Exc")`: "1", `endsWith(s, "8")`: "0", `base64decode(base64encode("x"))`: "x", `base64decode("%")`: null, `urldecode(urlencode("a b&c"))`: "a b&c",
		// Names.
		"`foo-bar`": "dash", "foo-bar": null, "a.b": "dotted", "list[0]": "first", "a.`b`": "dotted", "@timestamp": "2022-01-14 21:18:31.123",
		// Comments and escapes.
		"n # + 1\n + 2": "12", `"a\"b\\c\n"`: "a\"b\\c\n", `'it''`: "-",
	} {
		v, err := eval(t, text)
		got := v.Text()
		if v.IsNull() {
			got = null
		}
		if err != nil {
			got = "-" // does not compile
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]Error{
		"n +":                    {"unexpected end of query", 3, 3},
		"é ! 1":                  {"unexpected symbol found !", 2, 3},
		"n = = 1":                {"unexpected symbol found =", 4, 5},
		`"open`:                  {"unclosed quotation", 0, 5},
		"s like /open":           {"unclosed regular expression", 7, 12},
		"s like /(/":             {"invalid regular expression: missing closing ): `(`", 7, 10},
		"s like n":               {"unexpected symbol found n", 7, 8},
		"nothing(1)":             {"unknown function nothing", 0, 7},
		"abs()":                  {"wrong number of arguments for function abs", 0, 3},
		"abs(1, 2)":              {"wrong number of arguments for function abs", 0, 3},
		"bin(1)":                 {"invalid argument 1 for function bin", 0, 3},
		"abs(5m)":                {"invalid argument 5m for function abs", 0, 3},
		"abs(*)":                 {"invalid argument * for function abs", 0, 3},
		"bin(5x)":                {"invalid time period 5x", 4, 6},
		"bin(0m)":                {"invalid time period 0m", 4, 6},
		"n in []":                {"unexpected symbol found ]", 6, 7},
		"list[x]":                {"unexpected symbol found x", 5, 6},
		"(1":                     {"unexpected end of query", 2, 2},
		strings.Repeat("(", 200): {"the expression is nested too deeply", 100, 101},
	} {
		_, err := eval(t, text)
		if got, ok := errors.AsType[*Error](err); !ok || *got != want {
			t.Errorf("%s: %+v, want %+v", text, err, want)
		}
	}
}

func TestTextsDoNotGrow(t *testing.T) {
	text := `concat("` + strings.Repeat("x", 1000) + `")`
	for range 12 {
		text = "replace(" + text + `, "x", "xx")`
	}
	if v, err := eval(t, text); err != nil || !v.IsNull() {
		t.Errorf("%d bytes, %v", len(v.Text()), err)
	}
}

// TestNatural holds the order that AWS documents for sort.
func TestNatural(t *testing.T) {
	order := []Value{{}, String(""), String("*"), String("a"), String("a9"), String("a10"), String("a10b"), String("b2"), String("-3"), Num(1), String("2"), String("10.5")}
	for i, a := range order {
		for j, b := range order {
			if c := Natural(a, b); c < 0 != (i < j) || c > 0 != (i > j) {
				t.Errorf("%q and %q: %d", a.Text(), b.Text(), c)
			}
		}
	}
}

func TestTree(t *testing.T) {
	v, ok := ParseJSON(`{"a":{"b":[10,{"c":"x"}],"n":null},"a.b":"whole","@k":true,"e":{}}`)
	if !ok {
		t.Fatal("not JSON")
	}
	for path, want := range map[string]string{
		"a.b": "whole", "a.b.0": "10", "a.b.1.c": "x", "a.b.2": "", "a.b.-1": "", "a.n": "", "@k": "true", "a.b.1": `{"c":"x"}`, "": "", "a.": "",
	} {
		found, _ := Lookup(v, path)
		if got := FromJSON(found).Text(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	var leaves []string
	Leaves(v, func(path string, v Value) bool {
		leaves = append(leaves, path+"="+v.Text())
		return len(leaves) < 4
	})
	if want := []string{"@k=true", "a.b.0=10", "a.b.1.c=x", "a.b=whole"}; !slices.Equal(leaves, want) {
		t.Errorf("%q", leaves)
	}
	for _, bad := range []string{"", "{", `{"a":1} x`, "1", `"s"`, "[1,]"} {
		if _, ok := ParseJSON(bad); ok {
			t.Errorf("%s is read", bad)
		}
	}
}
