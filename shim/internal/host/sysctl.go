package host

import (
	"fmt"
	"regexp"
)

// sysctlName is a parameter's name: no way out of /proc/sys.
var sysctlName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)

// CheckSysctls refuses names that are none of parameters.
func CheckSysctls(all map[string]string) error {
	for name := range all {
		if !sysctlName.MatchString(name) {
			return fmt.Errorf("sysctl %q: no name of a parameter", name)
		}
	}
	return nil
}
