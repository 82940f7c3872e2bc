package eni

import (
	"testing"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/filter"
)

// TestFilters looks up what every filter names, in what is answered.
func TestFilters(t *testing.T) {
	check[wire.NetworkInterface](t, describeInterfaces.Filters)
	check[wire.NetworkInterfacePermission](t, describePermissions.Filters)
}

func check[W any](t *testing.T, s filter.Set) {
	t.Helper()
	for name := range s.Fields {
		if _, err := filter.Compile[W](s, []filter.Filter{{Name: name, Values: []string{"*"}}}); err != nil {
			t.Errorf("filter %s: %v", name, err)
		}
	}
}
