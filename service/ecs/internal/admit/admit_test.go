package admit

import (
	"slices"
	"testing"

	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

func TestOverridesAreKept(t *testing.T) {
	if lost := convert.Missing[taskdef.Override, ecs.TaskOverride](); !slices.Equal(lost, []string{"InferenceAcceleratorOverrides"}) {
		t.Errorf("stored overrides lose %v", lost)
	}
	if lost := convert.Missing[ecs.TaskOverride, taskdef.Override](); lost != nil {
		t.Errorf("shown overrides lose %v", lost)
	}
}

func TestChoose(t *testing.T) {
	item := func(provider string, base, weight int32) ecs.CapacityProviderStrategyItem {
		return ecs.CapacityProviderStrategyItem{CapacityProvider: &provider, Base: &base, Weight: &weight}
	}
	c := &compute.Cluster{CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"}}
	for _, tt := range []struct {
		name       string
		launchType *string
		strategy   []ecs.CapacityProviderStrategyItem
		defaults   []compute.StrategyItem
		want       string // launch type or first provider
		ok         bool
	}{
		{"nothing said", nil, nil, nil, "EC2", true},
		{"cluster default", nil, nil, []compute.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}}, "FARGATE_SPOT", true},
		{"launch type over default", new("FARGATE"), nil, []compute.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}}, "FARGATE", true},
		{"strategy", nil, []ecs.CapacityProviderStrategyItem{item("FARGATE", 1, 1)}, nil, "FARGATE", true},
		{"two bases", nil, []ecs.CapacityProviderStrategyItem{item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1)}, nil, "", false},
		{"twice", nil, []ecs.CapacityProviderStrategyItem{item("FARGATE", 0, 1), item("FARGATE", 0, 1)}, nil, "", false},
		{"weight out of range", nil, []ecs.CapacityProviderStrategyItem{item("FARGATE", 0, 1001)}, nil, "", false},
		{"base out of range", nil, []ecs.CapacityProviderStrategyItem{item("FARGATE", 100001, 1)}, nil, "", false},
		{"too many", nil, make([]ecs.CapacityProviderStrategyItem, 21), nil, "", false},
	} {
		c.DefaultStrategy = tt.defaults
		got, err := Choose(c, tt.launchType, tt.strategy)
		name := got.LaunchType
		if len(got.Strategy) > 0 {
			name = got.Strategy[0].Provider
		}
		if (err == nil) != tt.ok || name != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

func TestPlacement(t *testing.T) {
	ec2 := Capacity{LaunchType: "EC2"}
	cs, ss, err := ec2.Placement([]ecs.PlacementConstraint{{Type: new("memberOf"), Expression: new("attribute:ecs.os-type == linux")}},
		[]ecs.PlacementStrategy{{Type: new("spread"), Field: new("instanceId")}})
	if err != nil || cs[0].Expression == "" || ss[0].Field != "instanceId" {
		t.Errorf("%v, %v, %v", cs, ss, err)
	}
	for _, bad := range []ecs.PlacementConstraint{{Type: new("X")}, {Type: new("memberOf"), Expression: new("((")}} {
		if _, _, err := ec2.Placement([]ecs.PlacementConstraint{bad}, nil); err == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

func TestRoom(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	put := func(n node.Node, used node.Allocation) {
		used.Name = n.Name
		if err := st.Update(t.Context(), func(tx store.Tx) error {
			if err := tables.Nodes.Put(tx, &n); err != nil {
				return err
			}
			return tables.Allocations.Put(tx, &used)
		}); err != nil {
			t.Fatal(err)
		}
	}
	full := func(zone string) bool {
		var f func(string) bool
		if err := st.View(t.Context(), func(tx store.Tx) (err error) { f, err = Room(tx, "x86_64", 256, 512); return err }); err != nil {
			t.Fatal(err)
		}
		return f(zone)
	}
	put(node.Node{Name: "a", Zones: []string{"a"}, Architecture: "x86_64", CPU: 1024, Memory: 2048}, node.Allocation{})
	put(node.Node{Name: "b", Zones: []string{"b"}, Architecture: "x86_64", CPU: 1024, Memory: 2048}, node.Allocation{CPU: 1024})
	put(node.Node{Name: "c", Zones: []string{"c"}, Architecture: "arm64", CPU: 1024, Memory: 2048}, node.Allocation{})
	put(node.Node{Name: "d", Zones: []string{"d"}, Architecture: "x86_64", CPU: 1024, Memory: 2048}, node.Allocation{Lost: true})
	for zone, want := range map[string]bool{"us-east-1a": false, "us-east-1b": true, "us-east-1c": true, "us-east-1d": true} {
		if full(zone) != want {
			t.Errorf("zone %s full: %v", zone, !want)
		}
	}
	put(node.Node{Name: "e", Architecture: "x86_64", CPU: 1024, Memory: 2048}, node.Allocation{})
	if full("us-east-1b") {
		t.Error("a node for all zones leaves one full")
	}
}
