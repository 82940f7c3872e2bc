package shape

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Rules are the constraints a model puts on one value.
type Rules struct {
	MinLen, MaxLen int // in characters, bytes or elements; MaxLen -1 for none
	HasMin, HasMax bool
	Min, Max       float64
	Enum           []string
	Pattern        *Pattern // nil for none
}

// None reports whether any value satisfies r.
func (r *Rules) None() bool {
	return r.MinLen == 0 && r.MaxLen < 0 && !r.HasMin && !r.HasMax && r.Enum == nil && r.Pattern == nil
}

// Pattern is a regular expression of the model, compiled when first used.
type Pattern struct {
	Text    string // as AWS quotes it
	compile func() (*regexp.Regexp, error)
}

// NewPattern makes a pattern from AWS's text, which is in Java's syntax.
func NewPattern(text string) *Pattern {
	return &Pattern{Text: text, compile: sync.OnceValues(func() (*regexp.Regexp, error) {
		return regexp.Compile(`\A(?:` + translate(text) + `)\z`)
	})}
}

// Err says why the expression cannot be used in Go (look-around, for one).
func (p *Pattern) Err() error {
	_, err := p.compile()
	return err
}

// Match reports whether all of s matches. An expression that cannot be used
// matches everything; a test holds that the models have none.
func (p *Pattern) Match(s string) bool {
	re, err := p.compile()
	return err != nil || re.MatchString(s)
}

var (
	codeUnit    = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	repeatCount = regexp.MustCompile(`\{(\d+)(?:,(\d*))?\}`)
)

// translate turns \uXXXX into Go's form and lifts upper repeat counts beyond what
// Go's engine takes (1000); models bound such strings by a length as well.
func translate(text string) string {
	text = repeatCount.ReplaceAllStringFunc(text, func(s string) string {
		m := repeatCount.FindStringSubmatch(s)
		low, _ := strconv.Atoi(m[1])
		high, err := strconv.Atoi(m[2])
		switch {
		case low <= 1000 && (err != nil || high <= 1000):
			return s
		case low <= 1000:
			return "{" + m[1] + ",}"
		}
		return "{1000,}"
	})
	return codeUnit.ReplaceAllString(text, `\x{$1}`)
}

// parseRules reads the constraint options of a tag: len=MIN:MAX, range=MIN:MAX,
// enum=A|B, where either bound may be empty, and the pattern tags of the prefix.
// Other options are not its concern.
func parseRules(options string, tag reflect.StructTag, prefix string) Rules {
	r := Rules{MaxLen: -1}
	if text := tag.Get(prefix + "pattern"); text != "" {
		r.Pattern = NewPattern(text)
	}
	for option := range strings.SplitSeq(options, ",") {
		word, arg, _ := strings.Cut(option, "=")
		low, high, _ := strings.Cut(arg, ":")
		switch word {
		case "len":
			if low != "" {
				r.MinLen = int(number(option, low))
			}
			if high != "" {
				r.MaxLen = int(number(option, high))
			}
		case "range":
			if r.HasMin = low != ""; r.HasMin {
				r.Min = number(option, low)
			}
			if r.HasMax = high != ""; r.HasMax {
				r.Max = number(option, high)
			}
		case "enum":
			r.Enum = strings.Split(arg, "|")
		}
	}
	return r
}

func number(option, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("shape: bad bound in %q", option))
	}
	return f
}
