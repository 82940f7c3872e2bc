package sigv4

import (
	"testing"
	"time"
)

// TestParseTime: a time is what time.Parse makes of it, and what it refuses is refused.
func TestParseTime(t *testing.T) {
	for _, s := range []string{
		"20261130T093154Z", "20240229T235959Z", "20230229T000000Z", "20260431T000000Z", "00010101T000000Z", "99991231T235959Z",
		"20261301T000000Z", "20260001T000000Z", "20260100T000000Z", "20260132T000000Z", "20260101T240000Z", "20260101T006000Z",
		"20260101T000060Z", "20260101t000000Z", "20260101T000000z", "2026O101T000000Z", "20260101T00000 Z", "20260101T0000000", "",
		"20260101T000000Z ", "+0260101T000000Z",
	} {
		got, err := parseTime(s)
		want, wantErr := time.Parse(basicTime, s)
		if (err == nil) != (wantErr == nil) || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v, %v", s, got, err, want, wantErr)
		}
	}
}
