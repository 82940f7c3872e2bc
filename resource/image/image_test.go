package image

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTagIsFixed(t *testing.T) {
	exclude := []Exclusion{{"dev*", "WILDCARD"}, {"*-rc-*", "WILDCARD"}}
	for _, tt := range []struct {
		kind, tag string
		fixed     bool
	}{
		{Mutable, "v1", false}, {Immutable, "v1", true}, {Immutable, "dev", true},
		{ImmutableWithExclusion, "v1", true}, {ImmutableWithExclusion, "dev", false}, {ImmutableWithExclusion, "develop", false},
		{ImmutableWithExclusion, "v1-rc-2", false}, {ImmutableWithExclusion, "v1-rc", true},
		{MutableWithExclusion, "v1", false}, {MutableWithExclusion, "dev1", true},
	} {
		r := Repository{Mutability: tt.kind, Exclusions: exclude}
		if got := r.TagIsFixed(tt.tag); got != tt.fixed {
			t.Errorf("%s %s: %v", tt.kind, tt.tag, got)
		}
	}
}

func TestParseHost(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com":     "123456789012 us-east-1 true",
		"123456789012.dkr.ecr.EU-west-1.localhost:4566":    "123456789012 eu-west-1 true",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com:443": "123456789012 us-east-1 true",
		"123456789012.dkr.ecr.nowhere-1.amazonaws.com":     "  false",
		"12345.dkr.ecr.us-east-1.amazonaws.com":            "  false",
		"123456789012.dkr.ecr.us-east-1.example.com":       "  false",
		"x123456789012.dkr.ecr.us-east-1.amazonaws.com":    "  false",
		"localhost:4566": "  false",
	} {
		a, r, ok := ParseHost(host)
		if got := fmt.Sprint(a, " ", r, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	d := func(n int) string { return fmt.Sprintf("sha256:%064x", n) }
	desc := func(kind string, n int) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, kind, d(n), n)
	}
	const layer, config = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.config.v1+json"
	plain := `{"schemaVersion":2,"config":` + desc(config, 9) + `,"layers":[` + desc(layer, 1) + `,` + desc(layer, 2) + `]}`
	i, err := Parse([]byte(plain), "")
	if err != nil || i.MediaType != OCIManifest || len(i.Blobs) != 3 || i.Blobs[2].Digest != d(9) || i.Artifact != config || i.Size() != int64(len(plain))+12 {
		t.Errorf("%+v, %v", i, err)
	}
	list := `{"schemaVersion":2,"mediaType":"` + OCIIndex + `","manifests":[` + desc(OCIManifest, 1) + `],"subject":` + desc(OCIManifest, 5) + `}`
	i, err = Parse([]byte(list), OCIIndex)
	if err != nil || !i.List() || len(i.Children) != 1 || i.Subject != d(5) {
		t.Errorf("%+v, %v", i, err)
	}
	for text, want := range map[string]error{
		`{}`:                  errSyntax,
		`no`:                  errSyntax,
		`{"schemaVersion":1}`: errSyntax,
		`{"schemaVersion":2,"mediaType":"` + OCIManifest + `"}`: errSyntax,
		`{"schemaVersion":2,"mediaType":"text/plain"}`:          ErrMediaType,
		strings.Replace(plain, d(1), "sha256:1", 1):             errSyntax,
		strings.Replace(list, d(5), "sha512:1", 1):              errSyntax,
		strings.Replace(list, "2", "3", 1):                      errSyntax,
		`{"schemaVersion":2,"config":` + desc(config, 9) + `,"layers":[` + strings.Repeat(desc(layer, 1)+",", mostBlobs) + desc(layer, 1) + `]}`: ErrTooMany,
	} {
		if _, err := Parse([]byte(text), ""); !errors.Is(err, want) {
			t.Errorf("%.80s: %v, want %v", text, err, want)
		}
	}
	if _, err := Parse([]byte(list), OCIManifest); !errors.Is(err, ErrMediaType) {
		t.Errorf("it contradicts its header: %v", err)
	}
}

// rule is a rule of a policy as text.
func rule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{"type":"expire"}}`, priority, selection)
}

func policy(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

func TestParseLifecycle(t *testing.T) {
	const more, old = `"countType":"imageCountMoreThan","countNumber":2`, `"countType":"sinceImagePushed","countUnit":"days","countNumber":14`
	for text, want := range map[string]string{
		policy(rule(1, `"tagStatus":"any",`+more)):                                              "",
		policy(rule(2, `"tagStatus":"any",`+more), rule(1, `"tagStatus":"untagged",`+old)):      "",
		policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["v"],`+more)):                     "",
		policy(rule(0, `"tagStatus":"any",`+more)):                                              "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
		policy(rule(1, `"tagStatus":"some",`+more)):                                             `instance value ("some") not found in enum (possible values: ["any","tagged","untagged"])`,
		policy(rule(1, `"tagStatus":"tagged",`+more)):                                           "tagPatternList or tagPrefixList must be specified when tagStatus is tagged",
		policy(rule(1, `"tagStatus":"any","countType":"sinceImagePushed","countNumber":1`)):     "countUnit must be specified",
		policy(rule(1, `"tagStatus":"any","countUnit":"days",`+more)):                           "countUnit cannot be specified",
		policy(rule(1, `"tagStatus":"any",`+more), rule(1, `"tagStatus":"untagged",`+more)):     "the same rulePriority",
		policy(rule(1, `"tagStatus":"any",`+more), rule(2, `"tagStatus":"untagged",`+more)):     "lowest priority",
		policy(rule(1, `"tagStatus":"untagged",`+old), rule(2, `"tagStatus":"untagged",`+more)): "only one rule",
		policy(rule(1, `"tagStatus":"tagged","tagPatternList":["*a*b*c*d*"],`+more)):            "at most 4 wildcards",
		policy(`{"rulePriority":1}`):                                                            `object has missing required properties (["action","selection"])`,
		policy(`{"rulePriority":"1","selection":{},"action":{"type":"expire"}}`):                `instance type (string) does not match any allowed primitive type (allowed: ["integer"])`,
		policy(`{"rulePriority":1,"selection":{},"action":{"type":"transition"}}`):              `instance value ("transition") not found in enum (possible values: ["expire"])`,
		`{"rules":[],"more":1}`: `object instance has properties which are not allowed by the schema: ["more"]`,
		`{"rules":[]}`:          "array is too short",
		`{"rules":{}}`:          `instance type (object) does not match any allowed primitive type (allowed: ["array"])`,
		`no`:                    "not valid JSON",
		`null`:                  `instance type (null)`,
		policy(`{"rulePriority":1,"selection":null,"action":{"type":"expire"}}`):                   `instance type (null)`,
		policy(`{"rulePriority":1.5,"selection":null,"action":{"type":"expire"}}`):                 `instance type (number)`,
		policy(rule(1, `"tagStatus":"tagged","tagPatternList":["a"],"tagPrefixList":["a"],`+more)): "cannot be specified together",
		policy(rule(1, `"tagStatus":"any","tagPrefixList":["a"],`+more)):                           "can only be specified when tagStatus is tagged",
	} {
		rules, compact, err := ParseLifecycle(text)
		switch {
		case want == "" && (err != nil || compact != text || !slices.IsSortedFunc(rules, func(a, b Rule) int { return int(a.Priority - b.Priority) })):
			t.Errorf("%s: %v, %s, %v", text, rules, compact, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// now is when policies are applied.
var now = time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)

// candidate is an image pushed some days ago.
func candidate(digest string, days int, tags ...string) Candidate {
	return Candidate{Image: Image{Digest: digest, PushedAt: now.AddDate(0, 0, -days)}, Tags: tags}
}

func TestEvaluate(t *testing.T) {
	images := []Candidate{
		candidate("a", 1, "v3", "prod"), candidate("b", 2, "v2"), candidate("c", 3, "v1"),
		candidate("d", 4), candidate("e", 20), candidate("f", 30, "dev"), {Image: Image{Digest: "g", PushedAt: now.AddDate(0, 0, -40)}, Kept: true},
	}
	for _, tt := range []struct {
		name, policy, want string
		next               int // days from now; 0: never
	}{
		{"count", policy(rule(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":4`)), "f1 e1", 0},
		{"age", policy(rule(1, `"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":10`)), "e1", 6},
		{"prefix", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":1`)), "c1 b1", 0},
		{"all patterns", policy(rule(1, `"tagStatus":"tagged","tagPatternList":["v*","prod"],"countType":"imageCountMoreThan","countNumber":1`)), "", 0},
		// What the first rule is about is safe from the second, which counts it all the same.
		{"priority", policy(
			rule(1, `"tagStatus":"tagged","tagPatternList":["prod*"],"countType":"imageCountMoreThan","countNumber":10`),
			rule(2, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2`)), "f2 e2 d2 c2", 0},
		{"protected", policy(
			rule(1, `"tagStatus":"tagged","tagPatternList":["dev"],"countType":"imageCountMoreThan","countNumber":1`),
			rule(2, `"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":15`)), "e2", 11},
		{"never pulled", policy(rule(1, `"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":25`)), "f1", 5},
	} {
		rules, _, err := ParseLifecycle(tt.policy)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		doomed, next := Evaluate(rules, images, now)
		var got []string
		for _, d := range doomed {
			got = append(got, fmt.Sprint(d.Digest, d.Priority))
		}
		wantNext := time.Time{}
		if tt.next > 0 {
			wantNext = now.AddDate(0, 0, tt.next)
		}
		if strings.Join(got, " ") != tt.want || !next.Equal(wantNext) {
			t.Errorf("%s: %v, next %v, want %s, %v", tt.name, got, next, tt.want, wantNext)
		}
	}
}

// TestEvaluateProperties checks, for random images and policies, that nothing is
// doomed twice or kept by its list, that a higher priority rule protects, and that
// applying the policy again dooms nothing.
func TestEvaluateProperties(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var images []Candidate
		for n := range r.IntN(30) {
			c := candidate(fmt.Sprint(n), r.IntN(40))
			for _, tag := range []string{"v", "dev", "prod"} {
				if r.IntN(3) == 0 {
					c.Tags = append(c.Tags, tag+fmt.Sprint(n))
				}
			}
			c.Kept = r.IntN(6) == 0
			images = append(images, c)
		}
		text := policy(
			rule(1, fmt.Sprintf(`"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":%d`, 1+r.IntN(5))),
			rule(2, fmt.Sprintf(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":%d`, 1+r.IntN(30))),
			rule(3, fmt.Sprintf(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":%d`, 1+r.IntN(20))))
		rules, _, err := ParseLifecycle(text)
		if err != nil {
			t.Fatal(err)
		}
		doomed, _ := Evaluate(rules, images, now)
		gone := map[string]bool{}
		for _, d := range doomed {
			i := slices.IndexFunc(images, func(c Candidate) bool { return c.Digest == d.Digest })
			for p := range rules {
				if rules[p].Priority < d.Priority && rules[p].selects(&images[i]) {
					t.Errorf("seed %d: rule %d takes %s from rule %d", seed, d.Priority, d.Digest, rules[p].Priority)
				}
			}
			if gone[d.Digest] || images[i].Kept {
				t.Errorf("seed %d: %s is doomed though it is kept or gone", seed, d.Digest)
			}
			gone[d.Digest] = true
		}
		left := slices.DeleteFunc(slices.Clone(images), func(c Candidate) bool { return gone[c.Digest] })
		if again, _ := Evaluate(rules, left, now); len(again) > 0 {
			t.Errorf("seed %d: applied again it dooms %v", seed, again)
		}
	}
}
