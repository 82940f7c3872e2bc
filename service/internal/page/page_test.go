package page

import (
	"strings"
	"testing"
)

func TestSealOpen(t *testing.T) {
	s := NewSealer([32]byte{1})
	tok := s.Seal("sample\x00fargate", "123456789012", "us-east-1", "ListTasks")
	if strings.Contains(tok, "sample") {
		t.Fatalf("token shows its position: %s", tok)
	}
	got, err := s.Open(tok, "123456789012", "us-east-1", "ListTasks")
	if err != nil || got != "sample\x00fargate" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	for name, scope := range map[string][]string{
		"other account":   {"999999999999", "us-east-1", "ListTasks"},
		"other region":    {"123456789012", "eu-west-1", "ListTasks"},
		"other operation": {"123456789012", "us-east-1", "ListServices"},
	} {
		if _, err := s.Open(tok, scope...); err != ErrBad {
			t.Errorf("%s: err = %v, want ErrBad", name, err)
		}
	}
	if _, err := NewSealer([32]byte{2}).Open(tok, "123456789012", "us-east-1", "ListTasks"); err != ErrBad {
		t.Errorf("another installation opened the token")
	}
}

func TestOpenRejectsEveryChangedByte(t *testing.T) {
	s := NewSealer([32]byte{1})
	tok := s.Seal("position", "scope")
	for i := range tok {
		for _, c := range []byte("AZaz09-_=") {
			if tok[i] == c {
				continue
			}
			bad := tok[:i] + string(c) + tok[i+1:]
			if _, err := s.Open(bad, "scope"); err == nil && bad != tok {
				t.Fatalf("changed token %q was accepted", bad)
			}
		}
	}
}
