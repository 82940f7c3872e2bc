package control_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"neargate/control"
	"neargate/control/edge"
	"neargate/control/expire"
	"neargate/control/images"
	"neargate/control/keys"
	"neargate/control/loop"
	"neargate/control/meter"
	"neargate/control/vault"
)

var update = flag.Bool("update", false, "write docs/controllers.md")

// TestGraph keeps the page of the controller graph true.
func TestGraph(t *testing.T) {
	page := "# The controllers\n\n" +
		"Which key spaces wake which controllers, and what these write. Generated from their declarations,\n" +
		"which the engine enforces, by `go test ./control -update`.\n\n" +
		loop.Graph(append(control.Tasks(nil, nil, netip.Prefix{}), expire.Sessions(), expire.DeletionTasks(), meter.Things(),
			keys.New(nil, [32]byte{}), vault.Parameters(), vault.Secrets(), vault.SigningProfiles(), vault.SigningJobs(), images.Lifecycle(), images.Replicate(nil, nil),
			edge.NatGateways(nil), edge.Endpoints(), edge.Peerings())...)
	file := filepath.Join("..", "docs", "controllers.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page {
		t.Errorf("%s is out of date: go test ./control -update", file)
	}
}
