package expr

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxText is how long a text that functions make may be, as long as the largest
// log event; a longer one is null, so that no query grows texts without end.
const maxText = 1 << 20

// function is a function of the language: how many arguments it takes (max -1:
// any number), and what it makes of them. One with a period has it as its last
// argument.
type function struct {
	min, max int
	apply    func(args []Value) Value
	period   bool
	round    func(at Value, p period) Value
}

var functions = map[string]function{
	"abs":   numeric(math.Abs),
	"ceil":  numeric(math.Ceil),
	"floor": numeric(math.Floor),
	"log":   numeric(math.Log),
	"sqrt":  numeric(math.Sqrt),
	"round": {min: 1, max: 2, apply: round},
	"greatest": {min: 1, max: -1, apply: func(a []Value) Value {
		return pick(a, func(x, y float64) bool { return x > y })
	}},
	"least": {min: 1, max: -1, apply: func(a []Value) Value {
		return pick(a, func(x, y float64) bool { return x < y })
	}},
	"tonumber": {min: 1, max: 1, apply: toNumber},

	"bin":        {min: 1, max: 1, period: true, round: floorOf},
	"datefloor":  {min: 2, max: 2, period: true, round: floorOf},
	"dateceil":   {min: 2, max: 2, period: true, round: ceilOf},
	"frommillis": {min: 1, max: 1, apply: fromMillis},
	"tomillis":   {min: 1, max: 1, apply: toMillis},

	"ispresent": {min: 1, max: 1, apply: func(a []Value) Value { return Truth(!a[0].IsNull()) }},
	"coalesce":  {min: 1, max: -1, apply: coalesce},
	"if": {min: 3, max: 3, apply: func(a []Value) Value {
		if a[0].True() {
			return a[1]
		}
		return a[2]
	}},
	"case": {min: 2, max: -1, apply: caseOf},

	"jsonparse":     {min: 1, max: 1, apply: jsonParse},
	"jsonstringify": {min: 1, max: 1, apply: jsonStringify},

	"isvalidip":      address(func(a netip.Addr) bool { return true }),
	"isvalidipv4":    address(netip.Addr.Is4),
	"isvalidipv6":    address(func(a netip.Addr) bool { return a.Is6() }),
	"isipinsubnet":   subnet(func(netip.Addr) bool { return true }),
	"isipv4insubnet": subnet(netip.Addr.Is4),
	"isipv6insubnet": subnet(func(a netip.Addr) bool { return a.Is6() }),

	"isempty":      {min: 1, max: 1, apply: func(a []Value) Value { return Truth(a[0].Text() == "") }},
	"isblank":      {min: 1, max: 1, apply: func(a []Value) Value { return Truth(strings.TrimSpace(a[0].Text()) == "") }},
	"concat":       {min: 1, max: -1, apply: concat},
	"trim":         trimmer(strings.TrimSpace, strings.Trim),
	"ltrim":        trimmer(trimSpaceLeft, strings.TrimLeft),
	"rtrim":        trimmer(trimSpaceRight, strings.TrimRight),
	"strlen":       textual(func(s string) Value { return Num(float64(utf8.RuneCountInString(s))) }),
	"toupper":      textual(func(s string) Value { return String(strings.ToUpper(s)) }),
	"tolower":      textual(func(s string) Value { return String(strings.ToLower(s)) }),
	"urlencode":    textual(func(s string) Value { return String(url.QueryEscape(s)) }),
	"base64encode": textual(func(s string) Value { return String(base64.StdEncoding.EncodeToString([]byte(s))) }),
	"urldecode":    decoder(url.QueryUnescape),
	"base64decode": decoder(func(s string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		return string(b), err
	}),
	"substr":  {min: 2, max: 3, apply: substr},
	"replace": {min: 3, max: 3, apply: replace},
	// Source: answers of AWS; a third argument changes nothing there.
	"strcontains": {min: 2, max: 3, apply: func(a []Value) Value {
		return Truth(!a[0].IsNull() && strings.Contains(a[0].Text(), a[1].Text()))
	}},
	"startswith": {min: 2, max: 2, apply: func(a []Value) Value {
		return Truth(!a[0].IsNull() && strings.HasPrefix(a[0].Text(), a[1].Text()))
	}},
	"endswith": {min: 2, max: 2, apply: func(a []Value) Value {
		return Truth(!a[0].IsNull() && strings.HasSuffix(a[0].Text(), a[1].Text()))
	}},
}

func numeric(f func(float64) float64) function {
	return function{min: 1, max: 1, apply: func(a []Value) Value {
		n, ok := a[0].Number()
		if !ok {
			return Value{}
		}
		return Num(f(n))
	}}
}

func textual(f func(string) Value) function {
	return function{min: 1, max: 1, apply: func(a []Value) Value {
		if a[0].IsNull() {
			return Value{}
		}
		return f(a[0].Text())
	}}
}

// decoder is null for a text that cannot be decoded.
func decoder(f func(string) (string, error)) function {
	return textual(func(s string) Value {
		out, err := f(s)
		if err != nil {
			return Value{}
		}
		return String(out)
	})
}

func round(a []Value) Value {
	n, ok := a[0].Number()
	if !ok {
		return Value{}
	}
	scale := 1.0
	if len(a) > 1 {
		digits, ok := a[1].Number()
		if !ok || math.Abs(digits) > 15 {
			return Value{}
		}
		scale = math.Pow(10, math.Trunc(digits))
	}
	return Num(math.Round(n*scale) / scale)
}

// pick is the number that is before all others; null without any.
func pick(args []Value, before func(x, y float64) bool) Value {
	best := Value{}
	for _, a := range args {
		n, ok := a.Number()
		if !ok {
			continue
		}
		if best.IsNull() || before(n, best.num) {
			best = Num(n)
		}
	}
	return best
}

func toNumber(a []Value) Value {
	n, ok := a[0].Number()
	if !ok {
		return Value{}
	}
	return Num(n)
}

func fromMillis(a []Value) Value {
	ms, ok := millisOf(a[0])
	if !ok {
		return Value{}
	}
	return Millis(ms)
}

func toMillis(a []Value) Value {
	ms, ok := millisOf(a[0])
	if !ok {
		return Value{}
	}
	return Num(float64(ms))
}

func coalesce(args []Value) Value {
	for _, a := range args {
		if !a.IsNull() {
			return a
		}
	}
	return Value{}
}

// caseOf is the value after the first condition that holds, or the last one, if
// it stands alone.
func caseOf(a []Value) Value {
	for ; len(a) >= 2; a = a[2:] {
		if a[0].True() {
			return a[1]
		}
	}
	if len(a) == 1 {
		return a[0]
	}
	return Value{}
}

func jsonParse(a []Value) Value {
	v, ok := ParseJSON(a[0].Text())
	if !ok {
		return Value{}
	}
	return FromJSON(v)
}

func jsonStringify(a []Value) Value {
	if a[0].IsNull() {
		return Value{}
	}
	if a[0].kind == Tree {
		return String(a[0].Text())
	}
	b, err := json.Marshal(a[0].Text())
	if err != nil {
		return Value{}
	}
	return String(string(b))
}

func address(is func(netip.Addr) bool) function {
	return function{min: 1, max: 1, apply: func(a []Value) Value {
		ip, err := netip.ParseAddr(a[0].Text())
		return Truth(err == nil && ip.Zone() == "" && is(ip))
	}}
}

func subnet(is func(netip.Addr) bool) function {
	return function{min: 2, max: 2, apply: func(a []Value) Value {
		ip, err := netip.ParseAddr(a[0].Text())
		if err != nil || ip.Zone() != "" || !is(ip) {
			return Truth(false)
		}
		p, err := netip.ParsePrefix(a[1].Text())
		return Truth(err == nil && p.Contains(ip))
	}}
}

func concat(args []Value) Value {
	var b strings.Builder
	for _, a := range args {
		if b.WriteString(a.Text()); b.Len() > maxText {
			return Value{}
		}
	}
	return String(b.String())
}

const blanks = " \t\n\v\f\r"

func trimSpaceLeft(s string) string  { return strings.TrimLeft(s, blanks) }
func trimSpaceRight(s string) string { return strings.TrimRight(s, blanks) }

func trimmer(space func(string) string, cut func(s, cutset string) string) function {
	return function{min: 1, max: 2, apply: func(a []Value) Value {
		switch {
		case a[0].IsNull():
			return Value{}
		case len(a) == 1:
			return String(space(a[0].Text()))
		}
		return String(cut(a[0].Text(), a[1].Text()))
	}}
}

// substr counts characters from 0.
func substr(a []Value) Value {
	start, ok := a[1].Number()
	if a[0].IsNull() || !ok {
		return Value{}
	}
	runes := []rune(a[0].Text())
	from := int(min(max(start, 0), float64(len(runes))))
	to := len(runes)
	if len(a) == 3 {
		n, ok := a[2].Number()
		if !ok {
			return Value{}
		}
		to = from + int(min(max(n, 0), float64(to-from)))
	}
	return String(string(runes[from:to]))
}

func replace(a []Value) Value {
	if a[0].IsNull() {
		return Value{}
	}
	text, old, by := a[0].Text(), a[1].Text(), a[2].Text()
	if old == "" {
		return String(text)
	}
	if len(text)+strings.Count(text, old)*(len(by)-len(old)) > maxText {
		return Value{}
	}
	return String(strings.ReplaceAll(text, old, by))
}
