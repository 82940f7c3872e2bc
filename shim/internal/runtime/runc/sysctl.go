package runc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"neargate/shim/internal/host"
)

// sysctl sets parameters of the shim's own network namespace, where that is the
// task's: runc takes it for the host's. It returns those that are left to runc.
func (r *runc) sysctl(all map[string]string) (map[string]string, error) {
	if err := host.CheckSysctls(all); err != nil || r.Cfg.Spec.NetNS != "" {
		return all, err
	}
	left := map[string]string{}
	for name, value := range all {
		if !strings.HasPrefix(name, "net.") {
			left[name] = value
			continue
		}
		file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return nil, fmt.Errorf("sysctl %s: %w", name, err)
		}
	}
	return left, nil
}
