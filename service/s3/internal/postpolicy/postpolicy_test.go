package postpolicy

import (
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	with := func(condition string) string {
		return `{"expiration": "2026-03-01T12:00:00.000Z", "conditions": [` + condition + `]}`
	}
	for text, want := range map[string]string{
		with(``): "", with(`{"bucket": "b"}, ["starts-with", "$key", ""], ["EQ", "$acl", "private"], ["content-length-range", 0, "10"]`): "",
		`{"expiration": "2026-03-01T12:00:00Z", "conditions": []}`: "",
		``: "Invalid JSON.", `null`: "Invalid JSON.", `[]`: "Invalid JSON.", `{"expiration": "2026-03-01T12:00:00Z", "conditions": [],}`: "Invalid JSON.",
		`{"Version": "2012-10-17"}`:                                     "Unexpected: 'version'",
		`{"conditions": []}`:                                            "Policy missing expiration.",
		`{"expiration": "2026-03-01T12:00:00Z"}`:                        "Policy missing conditions.",
		`{"expiration": 1, "conditions": []}`:                           "Invalid JSON.",
		`{"expiration": "2026-03-01 12:00:00 UTC", "conditions": []}`:   "Invalid 'expiration' value: '2026-03-01 12:00:00 UTC'",
		`{"expiration": "2026-03-01T12:00:00+02:00", "conditions": []}`: "Invalid 'expiration' value: '2026-03-01T12:00:00+02:00'",
		`{"expiration": "2026-03-01T12:00:00Z", "conditions": {}}`:      "Invalid 'conditions' value: must be a List.",
		`{"expiration": "2026-03-01T12:00:00Z", "conditions": null}`:    "Invalid 'conditions' value: must be a List.",
		with(`{}`):                               "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
		with(`{"a": "b", "c": "d"}`):             "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
		with(`{"Content-Length": 1}`):            "Invalid Simple-Condition: value must be a string.",
		with(`{"a": null}`):                      "Invalid JSON.",
		with(`[]`):                               "Invalid Condition: missing operation identifier.",
		with(`"a"`):                              "Invalid condition test: must be a List or Object.",
		with(`["in", "$a", "b"]`):                "Invalid Condition: unknown operation 'in'.",
		with(`["eq", "$a"]`):                     "Invalid eq: wrong number of arguments.",
		with(`["content-length-range", 0]`):      "Invalid content-length-range: wrong number of arguments.",
		with(`["content-length-range", 0, 1.5]`): "Invalid JSON.",
		with(`["content-length-range", -1, 0]`):  "Invalid JSON.",
		with(`["eq", "$a", 1]`):                  "Invalid JSON.",
	} {
		_, err := Parse([]byte(text))
		if want != "" {
			want = "Invalid Policy: " + want
		}
		if got := shown(err); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func shown(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheck(t *testing.T) {
	fields := []Field{{"Key", "user/a.txt"}, {"acl", "private"}, {"x-ignore-this", "1"}, {"Policy", "p"}, {"X-Amz-Signature", "s"}, {"Content-Type", "text/plain"}}
	const without = `["starts-with", "$content-TYPE", "text/"], {"ACL": "private"}`
	const rest = `["starts-with", "$Bucket", "b"], ` + without
	for conditions, want := range map[string]string{
		`{"bucket": "b"}, {"key": "user/a.txt"}, ` + rest: "",
		`["starts-with", "$key", "user/"], ` + rest:       "",
		`["starts-with", "$key", ""], ` + rest:            "",
		`["starts-with", "$key", "User/"], ` + rest:       `Policy Condition failed: ["starts-with", "$key", "User/"]`,
		`{"key": "user/b\"\\"}, ` + rest:                  `Policy Condition failed: ["eq", "$key", "user/b\"\\"]`,
		`["eq", "key", "user/a.txt"], ` + rest:            `Policy Condition failed: ["eq", "key", "user/a.txt"]`,
		`{"bucket": "c"}, {"key": "user/a.txt"}, ` + rest: `Policy Condition failed: ["eq", "$bucket", "c"]`,
		`["starts-with", "$tagging", ""], ` + rest:        `Policy Condition failed: ["starts-with", "$tagging", ""]`,
		`["content-length-range", "test", "10"], ` + rest: `Policy Condition failed: ["content-length-range", "test", "10"]`,
		rest: "Extra input fields: Key",
		`["starts-with", "$key", ""], ` + without: "Extra input fields: bucket",
		`{"acl": "private"}, {"bucket": "b"}`:     "Extra input fields: Key, Content-Type",
	} {
		p, err := Parse([]byte(`{"expiration": "2026-03-01T12:00:00Z", "conditions": [` + conditions + `]}`))
		if err != nil {
			t.Errorf("%s: %v", conditions, err)
			continue
		}
		if want != "" {
			want = "Invalid according to Policy: " + want
		}
		if got := shown(p.Check("b", fields, now)); got != want {
			t.Errorf("%s: %q, want %q", conditions, got, want)
		}
		if got := shown(p.Check("b", fields, now.Add(time.Nanosecond))); got != "Invalid according to Policy: Policy expired." {
			t.Errorf("%s: %q", conditions, got)
		}
	}
}

func TestRange(t *testing.T) {
	for conditions, want := range map[string][3]int64{
		``: {}, `["content-length-range", 2, 9]`: {2, 9, 1}, `["content-length-range", "2", 9], ["content-length-range", 0, 5]`: {2, 5, 1},
	} {
		p, err := Parse([]byte(`{"expiration": "2026-03-01T12:00:00Z", "conditions": [` + conditions + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		least, most, said := p.Range()
		if least != want[0] || most != want[1] || said != (want[2] == 1) {
			t.Errorf("%s: %d to %d, %v", conditions, least, most, said)
		}
	}
}

// FuzzParse never fails but in words, and what is a policy lets nothing through that its
// conditions do not name.
func FuzzParse(f *testing.F) {
	f.Add(`{"expiration": "2026-03-01T12:00:00Z", "conditions": [{"key": "a"}, ["content-length-range", 0, 1]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Invalid Policy: ") {
				t.Error(err)
			}
			return
		}
		if p.Check("b", []Field{{"none-names-this-field", "v"}}, p.Expires) == nil && !strings.Contains(strings.ToLower(text), "none-names-this-field") {
			t.Errorf("%s lets a field through", text)
		}
	})
}
