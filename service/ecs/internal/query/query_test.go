package query

import (
	"strings"
	"testing"
)

var instance = map[string][]string{
	"agentConnected":              {"true"},
	"agentVersion":                {"1.10.0"},
	"ec2InstanceId":               {"i-0123"},
	"registeredAt":                {"2026-01-15T10:00:00Z"},
	"runningTasksCount":           {"9"},
	"task:group":                  {"service:web", "family:job"},
	"attribute:ecs.instance-type": {"t2.small"},
	"attribute:stack":             {"prod"},
	"attribute:empty":             {""},
}

func TestMatch(t *testing.T) {
	for expr, want := range map[string]bool{
		`attribute:ecs.instance-type == t2.small`:                                                 true,
		`attribute:ecs.instance-type equals t2.micro`:                                             false,
		`attribute:ecs.instance-type =~ t2.*`:                                                     true,
		`attribute:ecs.instance-type =~ t2`:                                                       false,
		`(attribute:ecs.instance-type =~ (t2|t3)\.s.*) and agentConnected == true`:                true,
		`attribute:ecs.instance-type !~ g2.* and attribute:ecs.instance-type not_matches t2.nano`: true,
		`attribute:stack in [test, prod]`:                                                         true,
		`attribute:stack in ["test", 'prod']`:                                                     true,
		`attribute:stack not_in [test]`:                                                           true,
		`attribute:stack !in [prod]`:                                                              false,
		`attribute:stack exists && attribute:gpu !exists`:                                         true,
		`attribute:gpu exists || attribute:gpu not_exists`:                                        true,
		`attribute:empty exists`:                                                                  true,
		`attribute:gpu != a`:                                                                      true,
		`not (attribute:stack == prod)`:                                                           false,
		`!(attribute:stack == prod) or runningTasksCount < 10`:                                    true,
		`runningTasksCount >= 10`:                                                                 false,
		`agentVersion > 1.9.0`:                                                                    true,
		`registeredAt greater_than 2026-01-01T00:00:00Z`:                                          true,
		`task:group == service:web`:                                                               true,
		`task:group != service:web`:                                                               false,
		`task:group == service:api or task:group == family:job and agentConnected == false`:       false,
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := e.Match(func(s string) []string { return instance[s] }); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, expr := range []string{
		"", "attribute:a", "attribute:a ==", "attribute:a == b c", "(attribute:a == b", "attribute:a in b", "attribute:a in [",
		"attribute:a in [b", "attribute:a in []", "attribute:a =~ [", "foo == bar", "attribute:a === b", "and", "not",
		`attribute:a == "b`, `"attribute:a" == b`, "attribute:a == b and", "attribute:a == )",
		"attribute:a == " + strings.Repeat("b", 2000),
	} {
		if _, err := Parse(expr); err == nil {
			t.Errorf("%q was accepted", expr)
		}
	}
}

// FuzzParse checks that no text makes the parser or an expression panic, and that
// an expression and its negation disagree.
func FuzzParse(f *testing.F) {
	f.Add("attribute:a == b and (task:group in [x, y] or not agentConnected == true)")
	f.Add("attribute:a =~ (a|b)")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		values := func(s string) []string { return instance[s] }
		if n, err := Parse("not (" + s + ")"); err == nil && n.Match(values) == e.Match(values) {
			t.Fatalf("%q and its negation agree", s)
		}
	})
}
