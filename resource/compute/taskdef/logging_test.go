package taskdef

import "testing"

func TestBufferSize(t *testing.T) {
	for in, want := range map[string]int64{
		"": 10 << 20, "1": 1, "512": 512, "25m": 25 << 20, "4M": 4 << 20, "1.5k": 1536, "2 kb": 2048, "3KiB": 3072, "1g": 1 << 30, "7b": 7, "1t": 1 << 40,
		"0": 0, "0.1": 0, "-1": 0, "m": 0, "10x": 0, "10mm": 0, "1.2.3": 0, "9999999999999p": 0, "ten": 0,
	} {
		l := Logging{Options: map[string]string{LogBuffer: in}}
		if n, ok := l.BufferSize(); ok != (want > 0) || ok && n != want {
			t.Errorf("%q: %d, %v, want %d", in, n, ok, want)
		}
	}
}

func TestLogOptions(t *testing.T) {
	l := Logging{Options: map[string]string{}}
	if s := l.Stream("c", "t"); s != "c/t" {
		t.Error(s)
	}
	l.Options[LogStreamPrefix] = "p"
	if s := l.Stream("c", "t"); s != "p/c/t" {
		t.Error(s)
	}
	for in, want := range map[string][2]bool{"": {false, true}, "true": {true, true}, "false": {false, true}, "1": {true, true}, "yes": {false, false}} {
		l.Options[LogCreateGroup] = in
		if c, ok := l.CreatesGroup(); [2]bool{c, ok} != want {
			t.Errorf("create group %q: %v, %v", in, c, ok)
		}
	}
	for in, want := range map[string]string{"": LogBlocking, LogNonBlocking: LogNonBlocking, "sometimes": ""} {
		l.Options[LogMode] = in
		if m, ok := l.Mode(LogBlocking); ok != (want != "") || ok && m != want {
			t.Errorf("mode %q: %q, %v", in, m, ok)
		}
	}
}

func TestSecretOptions(t *testing.T) {
	l := &Logging{LogDriver: "awslogs", Options: map[string]string{LogRegion: "us-east-1", LogMode: ""}, SecretOptions: []Secret{{Name: LogGroup, ValueFrom: "/g"}}}
	for option, want := range map[string]bool{LogRegion: true, LogGroup: true, LogMode: false, LogStreamPrefix: false} {
		if l.Gives(option) != want {
			t.Errorf("%s given: %v", option, !want)
		}
	}
	r := l.Resolved(map[string]string{LogGroup: "secret"})
	if r.Options[LogGroup] != "secret" || r.Options[LogRegion] != "us-east-1" || l.Options[LogGroup] != "" {
		t.Errorf("%+v of %+v", r, l)
	}
}
