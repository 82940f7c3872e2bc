package param

import (
	"regexp"
	"slices"
	"strings"
)

// MaxLevels is how many levels a name may have.
const MaxLevels = 15

// Fault is what is wrong with a name.
type Fault int

// The faults of names.
const (
	Fine Fault = iota
	NotQualified
	Reserved  // begins with aws, under a slash
	Prefixed  // begins with aws or ssm
	BadLetter // has a character that names cannot have
	TooDeep
	TooLong
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// maxName bounds the length of an ARN, which a name is part of.
const maxName = 1011

// CheckName says what is wrong with the name of a new parameter.
func CheckName(name string) Fault {
	first := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.Contains(strings.TrimPrefix(name, "/"), "/") && !strings.HasPrefix(name, "/"):
		return NotQualified
	case strings.HasPrefix(name, "/") && strings.HasPrefix(first, "aws"):
		return Reserved
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return Prefixed
	case !namePattern.MatchString(name), strings.Contains(name, "//"), strings.HasSuffix(name, "/"):
		return BadLetter
	case strings.Count(Path(name), "/") > MaxLevels:
		return TooDeep
	case len(name) > maxName:
		return TooLong
	}
	return Fine
}

var labelPattern = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// GoodLabel reports whether a version may have the label.
func GoodLabel(label string) bool {
	l := strings.ToLower(label)
	return len(label) <= 100 && labelPattern.MatchString(label) && !strings.HasPrefix(l, "aws") && !strings.HasPrefix(l, "ssm")
}

// Under reports whether the parameter is below a path: directly, or at any depth.
func (p *Parameter) Under(path string, recursive bool) bool {
	rest, ok := strings.CutPrefix(p.Path, strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
