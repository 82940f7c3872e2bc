// Package expr reads and evaluates the expressions of CloudWatch Logs Insights
// queries: values, operators and functions over the fields of one record.
// Source: Amazon CloudWatch Logs User Guide, "Boolean, comparison, numeric,
// datetime, and other functions".
package expr

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind says what a value is.
type Kind uint8

// The kinds. Fields of log events are text, whatever they look like; text that
// reads as a number is one where a number is needed. A tree is a JSON object or
// array.
const (
	Null Kind = iota
	Text
	Number
	Bool
	Time
	Tree
)

// Value is a value in a query. The zero Value is null: a field that is missing.
type Value struct {
	kind Kind
	text string
	num  float64 // number, milliseconds since 1970, 1 for true
	tree any     // as encoding/json decodes with UseNumber
}

// String makes a text.
func String(s string) Value { return Value{kind: Text, text: s} }

// Num makes a number; what is no number is null.
func Num(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: Number, num: f}
}

// Millis makes a time from milliseconds since 1970.
func Millis(ms int64) Value { return Value{kind: Time, num: float64(ms)} }

// Truth makes a boolean.
func Truth(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.num = 1
	}
	return v
}

// FromJSON makes a value of what encoding/json decodes with UseNumber.
func FromJSON(v any) Value {
	switch v := v.(type) {
	case string:
		return String(v)
	case json.Number:
		return String(v.String())
	case bool:
		return String(strconv.FormatBool(v))
	case map[string]any, []any:
		return Value{kind: Tree, tree: v}
	}
	return Value{}
}

// Kind is the value's kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is missing.
func (v Value) IsNull() bool { return v.kind == Null }

// True reports whether a condition holds: true, or a number other than 0.
func (v Value) True() bool {
	n, ok := v.Number()
	return ok && n != 0
}

// Number is the value as a number; ok is false for what is none.
func (v Value) Number() (n float64, ok bool) {
	switch v.kind {
	case Number, Bool, Time:
		return v.num, true
	case Text:
		return parseNumber(v.text)
	}
	return 0, false
}

// parseNumber reads decimal numbers only: no "inf", no "0x10", no "1_000".
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// timeFormat is how times are shown.
const timeFormat = "2006-01-02 15:04:05.000"

// decimals is how many digits of a fraction are shown.
const decimals = 4

// Text is the value as a query's results show it.
func (v Value) Text() string {
	switch v.kind {
	case Text:
		return v.text
	case Time:
		return time.UnixMilli(int64(v.num)).UTC().Format(timeFormat)
	case Number, Bool:
		return formatNumber(v.num)
	case Tree:
		b, err := json.Marshal(v.tree)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return ""
}

func formatNumber(f float64) string {
	if f == math.Trunc(f) || math.Abs(f) >= 1e15 {
		if f == 0 {
			return "0"
		}
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	s := strings.TrimRight(strconv.FormatFloat(f, 'f', decimals, 64), "0")
	if s = strings.TrimSuffix(s, "."); s == "-0" {
		return "0"
	}
	return s
}

// Key tells values apart: equal keys are equal values. Null differs from "".
func (v Value) Key() string {
	if v.kind == Null {
		return "-"
	}
	return "+" + v.Text()
}

// Equal reports whether two values are the same number or, unless both are
// numbers, the same text. A missing value equals nothing.
func Equal(a, b Value) bool {
	if a.kind == Null || b.kind == Null {
		return false
	}
	if x, ok := a.Number(); ok {
		if y, ok := b.Number(); ok {
			return x == y
		}
	}
	return a.Text() == b.Text()
}

// compare orders numbers by size and all else by text; ok is false when either
// is missing.
func compare(a, b Value) (c int, ok bool) {
	if a.kind == Null || b.kind == Null {
		return 0, false
	}
	if x, ok := a.Number(); ok {
		if y, ok := b.Number(); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
	}
	return strings.Compare(a.Text(), b.Text()), true
}
