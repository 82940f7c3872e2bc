package host

import (
	"errors"
	"testing"
)

func TestExecCode(t *testing.T) {
	for says, code := range map[string]int32{
		`exec failed: exec: "x": executable file not found in $PATH`: 127,
		"loading /data: permission denied":                           126,
		"connection refused":                                         0,
	} {
		if got := ExecCode(errors.New(says)); got != code {
			t.Errorf("%s: %d, want %d", says, got, code)
		}
	}
}

func TestSysctlName(t *testing.T) {
	for name, ok := range map[string]bool{
		"net.core.somaxconn": true, "net.ipv4.conf.eth0.rp_filter": true,
		"net": false, "net/core/somaxconn": false, "net..core": false, "net.x/../../kernel.hostname": false, "": false,
	} {
		if err := CheckSysctls(map[string]string{name: "1"}); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
