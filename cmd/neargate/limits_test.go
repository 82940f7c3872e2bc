package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neargate/arn"
	"neargate/service"
	"neargate/service/ecr"
	"neargate/service/kms"
	"neargate/service/logs"
	"neargate/store/mem"
)

func TestReadLimits(t *testing.T) {
	deps := service.Deps{Store: mem.New(), IDs: arn.NewSource(strings.NewReader(""))}
	all := services(deps, apis{logs: logs.New(deps, nil, nil), kms: kms.New(deps, [32]byte{}), ecr: ecr.New(deps, nil, nil, nil)})
	if l, err := readLimits(""); err != nil || l.known(all) != nil || l.Launches.Burst != 100 {
		t.Errorf("AWS's own: %+v, %v, %v", l, err, l.known(all))
	}
	for _, tt := range []struct{ file, fails string }{
		{`{"launches": {"burst": 5, "perSecond": 0.5}, "api": [{"service": "ecs", "operations": ["RunTask"], "rate": {"burst": 2, "perSecond": 1}}]}`, ""},
		{`{}`, ""},
		{`{"launches": {"burst": -1}}`, "make no rate"},
		{`{"launches": {"perSecond": 1}}`, "make no rate"},
		{`{"lunches": {}}`, "unknown field"},
		{`{"api": [{"service": "nope"}]}`, `no service "nope"`},
		{`{"api": [{"service": "ecs", "operations": ["Nope"]}]}`, `ecs has no operation "Nope"`},
		{`{`, "unexpected EOF"},
	} {
		path := filepath.Join(t.TempDir(), "limits.json")
		if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := readLimits(path)
		if err == nil {
			err = l.known(all)
		}
		if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
			t.Errorf("%s: %v, want %q", tt.file, err, tt.fails)
		}
	}
}
