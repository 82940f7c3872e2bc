package logs

import (
	"slices"
	"testing"
	"time"
)

func TestPositions(t *testing.T) {
	at := time.UnixMilli(1772366400123)
	p := Position{Time: 5, Seq: FirstSeq(at) + 1<<seqBits - 1}
	if p.Ingested() != at.UnixMilli() || p.Next().Ingested() != at.UnixMilli()+1 {
		t.Errorf("ingested at %d, then %d", p.Ingested(), p.Next().Ingested())
	}
	ordered := []Position{{4, 9}, {5, 1}, {5, 2}, {6, 0}}
	for i, p := range ordered {
		for j, q := range ordered {
			if sign := p.Compare(q); sign < 0 != (i < j) || sign > 0 != (i > j) {
				t.Errorf("%v and %v: %d", p, q, sign)
			}
		}
	}
	if !slices.IsSortedFunc([]Position{p, p.Next()}, Position.Compare) {
		t.Error("the next position comes before")
	}
}

func TestGroupName(t *testing.T) {
	for in, want := range map[string]string{
		"arn:aws:logs:us-east-1:123456789012:log-group:/a/b":           "/a/b",
		"arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*":         "/a/b",
		"arn:aws:logs:us-east-1:123456789012:log-group:a:log-stream:b": "",
		"arn:aws:logs:us-east-1:123456789012:log-group:":               "",
		"arn:aws-cn:logs:us-east-1:123456789012:log-group:a":           "",
		"arn:aws:logs:eu-west-1:123456789012:log-group:a":              "",
		"arn:aws:logs:us-east-1:210987654321:log-group:a":              "",
		"arn:aws:ecs:us-east-1:123456789012:log-group:a":               "",
		"a": "",
	} {
		if got, ok := GroupName(in, "123456789012", "us-east-1"); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %q %v", in, got, ok)
		}
	}
}

func TestOldest(t *testing.T) {
	now := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	if n := (&Group{}).Oldest(now); n != 0 {
		t.Errorf("without retention: %d", n)
	}
	if n := (&Group{RetentionDays: 3}).Oldest(now); n != time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("3 days: %v", time.UnixMilli(n))
	}
}
