package logdriver

import (
	"fmt"
	"regexp"

	"neargate/resource/compute/taskdef"
)

// directives are what stands for the parts of a time in a datetime format.
// Source: awslogs-datetime-format, Docker documentation.
var directives = map[byte]string{
	'a': `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`,
	'A': `(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)`,
	'w': `[0-6]`,
	'd': `(?:0[1-9]|[12]\d|3[01])`,
	'b': `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`,
	'B': `(?:January|February|March|April|May|June|July|August|September|October|November|December)`,
	'm': `(?:0[1-9]|1[0-2])`,
	'Y': `\d{4}`,
	'y': `\d{2}`,
	'H': `(?:[01]\d|2[0-3])`,
	'I': `(?:0[1-9]|1[0-2])`,
	'p': `[AP]M`,
	'M': `[0-5]\d`,
	'S': `[0-5]\d`,
	'L': `\.\d{3}`,
	'f': `\d{6}`,
	'z': `[+-]\d{4}`,
	'Z': `[A-Z]{1,4}T`,
	'j': `(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])`,
	'%': `%`,
}

// datetime is the regular expression a datetime format stands for. What is no
// directive is a regular expression as it is, and a directive that is unknown
// stands for nothing, as in the awslogs driver.
func datetime(format string) string {
	var b []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b = append(b, format[i])
			continue
		}
		i++
		b = append(b, directives[format[i]]...)
	}
	return string(b)
}

// pattern is the regular expression of lines that begin an event; empty: every
// line is one.
func pattern(l *taskdef.Logging) (string, error) {
	p := l.Options[taskdef.LogMultiline]
	if format := l.Options[taskdef.LogDatetime]; format != "" {
		p = datetime(format)
	}
	if _, err := regexp.Compile(p); err != nil {
		return "", fmt.Errorf("awslogs could not parse multiline pattern key %q: %w", p, err)
	}
	return p, nil
}
