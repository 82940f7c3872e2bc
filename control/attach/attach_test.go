package attach

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/resource/network"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

var t0 = time.Unix(1_000_000, 0).UTC()

// world is a store with a default network, driven by the controller.
type world struct {
	t       *testing.T
	st      *mem.Store
	subnets []network.Subnet
	step    loop.Stepper
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, st: mem.New(mem.Paranoid())}
	w.step = New(arn.NewSource(rand.NewChaCha8([32]byte{})), netip.Prefix{}).Stepper(1)
	w.update(func(tx store.Tx) error {
		if err := tables.EnsureDefaultNetwork(tx, "1", "us-east-1"); err != nil {
			return err
		}
		var err error
		w.subnets, err = store.Collect(tables.Subnets.List(tx, "1", "us-east-1"))
		return err
	})
	return w
}

func (w *world) update(f func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.st.Update(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// run lets the controller do all it can and returns the task.
func (w *world) run(id string) (t compute.Task) {
	w.t.Helper()
	if err := w.step.List(w.t.Context(), w.st); err != nil {
		w.t.Fatal(err)
	}
	for ran, p := w.step.Step(w.t.Context(), w.st, t0); ran; ran, p = w.step.Step(w.t.Context(), w.st, t0) {
		if p.Err != nil {
			w.t.Fatal(p.Err)
		}
	}
	w.update(func(tx store.Tx) (err error) {
		t, err = tables.Tasks.Get(tx, "1", "us-east-1", "c", id)
		return err
	})
	return t
}

func (w *world) put(t compute.Task) {
	w.t.Helper()
	w.update(func(tx store.Tx) error { return tables.Tasks.Put(tx, &t) })
}

// task is a placed task in the zone of its first subnet.
func (w *world) task(id, public string, subnets ...network.Subnet) compute.Task {
	t := compute.Task{
		Account: "1", Region: "us-east-1", Cluster: "c", ID: id, CreatedAt: t0, Node: "n",
		Spec:       compute.TaskSpec{Network: compute.Network{AssignPublicIP: public}},
		Intent:     compute.Intent{Desired: compute.Running},
		Attachment: compute.Attachment{ID: "att-" + id, Status: compute.PreCreated},
		State:      compute.TaskState{Last: compute.Provisioning},
	}
	for _, s := range subnets {
		t.Zone = subnets[0].Zone
		t.Spec.Network.Subnets = append(t.Spec.Network.Subnets, s.ID)
	}
	return t
}

func (w *world) keys() (n int) {
	w.update(func(tx store.Tx) error {
		for _, p := range []string{tables.NetworkInterfaces.Name, tables.PrivateAddresses.Name, tables.PublicAddresses.Name} {
			n += tx.Count(store.Prefix(p))
		}
		return nil
	})
	return n
}

func TestInterfaceComesAndGoes(t *testing.T) {
	w := newWorld(t)
	w.put(w.task("1", "ENABLED", w.subnets[1], w.subnets[0]))
	got := w.run("1")
	a := got.Attachment
	if a.Status != compute.Attached || a.Subnet != w.subnets[1].ID || !strings.HasPrefix(a.PrivateIP, "172.31.") ||
		!strings.HasPrefix(a.PublicIP, "198.") || !strings.HasPrefix(a.MAC, "12:") || a.PrivateDNS != network.PrivateDNSName("us-east-1", a.PrivateIP) {
		t.Fatalf("attachment %+v", a)
	}
	w.update(func(tx store.Tx) error {
		e, err := tables.NetworkInterfaces.Get(tx, "1", "us-east-1", a.ENI)
		if e.Description != got.AttachmentARN() || !e.RequesterManaged || len(e.Groups) != 1 || e.Primary() != a.PrivateIP || e.PublicIP != a.PublicIP || e.Zone != got.Zone {
			t.Errorf("interface %+v", e)
		}
		return err
	})
	if n := w.keys(); n != 3 {
		t.Errorf("%d records, want interface and two addresses", n)
	}
	got.State.Last = compute.Deprovisioning
	w.put(got)
	got = w.run("1")
	if a.Status = compute.Deleted; got.Attachment != a {
		t.Errorf("at the end %+v, want the details kept: %+v", got.Attachment, a)
	}
	if n := w.keys(); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// TestSteps checks that the API sees DETACHING before DELETED.
func TestSteps(t *testing.T) {
	task := compute.Task{Attachment: compute.Attachment{Status: compute.Attached}, State: compute.TaskState{Last: compute.Stopped}}
	do, wake := Plan(t0, State{Task: task, Found: true})
	if len(do) != 1 || !do[0].Detach || do[0].Remove || !wake.Equal(t0) {
		t.Errorf("%+v, wake %v", do, wake)
	}
	task.Attachment.Status = compute.Detaching
	if do, wake = Plan(t0, State{Task: task, Found: true}); len(do) != 1 || !do[0].Remove || !wake.IsZero() {
		t.Errorf("%+v, wake %v", do, wake)
	}
}

func TestLeavesAlone(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*compute.Task){
		"not placed":        func(t *compute.Task) { t.Node = "" },
		"to be stopped":     func(t *compute.Task) { t.Intent.Desired = compute.Stopped },
		"failed before":     func(t *compute.Task) { t.Attachment.Failure = "x" },
		"ended before":      func(t *compute.Task) { t.State.Last = compute.Stopped },
		"attached, running": func(t *compute.Task) { t.Attachment.Status, t.State.Last = compute.Attached, compute.Running },
		"already deleted":   func(t *compute.Task) { t.Attachment.Status, t.State.Last = compute.Deleted, compute.Stopped },
	} {
		task := w.task("1", "DISABLED", w.subnets[0])
		change(&task)
		w.put(task)
		if got := w.run("1"); got.Attachment != task.Attachment || w.keys() != 0 {
			t.Errorf("%s: became %+v", name, got.Attachment)
		}
	}
}

func TestSubnets(t *testing.T) {
	w := newWorld(t)
	other := w.subnets[0]
	other.ID, other.CIDR = "subnet-small", "172.31.96.0/28" // eleven addresses
	w.update(func(tx store.Tx) error { return tables.Subnets.Put(tx, &other) })
	used := map[string]int{}
	addresses := map[string]bool{}
	for i := range 40 {
		id := fmt.Sprint("spread", i)
		w.put(w.task(id, "DISABLED", w.subnets[0], other, w.subnets[1]))
		a := w.run(id).Attachment
		used[a.Subnet]++
		if addresses[a.PrivateIP] {
			t.Fatalf("%s is given twice", a.PrivateIP)
		}
		addresses[a.PrivateIP] = true
	}
	if used[other.ID] != 11 || used[w.subnets[0].ID] != 29 {
		t.Errorf("spread as %v, want the small subnet full and none in another zone", used)
	}
	preset := w.task("preset", "DISABLED", w.subnets[2], w.subnets[0])
	preset.Attachment.Subnet = w.subnets[2].ID
	w.put(preset)
	if got := w.run("preset").Attachment.Subnet; got != w.subnets[2].ID {
		t.Errorf("the announced subnet became %s", got)
	}
	w.put(w.task("full", "ENABLED", other))
	got := w.run("full").Attachment
	want := "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-small': InsufficientFreeAddressesInSubnet"
	if got.Failure != want || got.Status != compute.PreCreated {
		t.Errorf("without an address: %+v", got)
	}
	w.put(w.task("nowhere", "DISABLED"))
	if got := w.run("nowhere").Attachment; got.Failure == "" {
		t.Errorf("without a subnet: %+v", got)
	}
}

func TestSecurityGroups(t *testing.T) {
	w := newWorld(t)
	task := w.task("1", "DISABLED", w.subnets[0])
	task.Spec.Network.SecurityGroups = []string{"sg-1", "sg-2"}
	w.put(task)
	group := func(id, vpc string, more ...string) {
		w.update(func(tx store.Tx) error {
			return tables.SecurityGroups.Put(tx, &network.SecurityGroup{Account: "1", Region: "us-east-1", ID: id, Vpc: vpc, Associated: more})
		})
	}
	const absent = "Unexpected EC2 error while attempting to Create Network Interface in subnet '%s': InvalidGroup.NotFound"
	refused := func(what string) {
		if got := w.run("1").Attachment; got.Failure != fmt.Sprintf(absent, w.subnets[0].ID) || got.ENI != "" {
			t.Errorf("%s: %+v", what, got)
		}
	}
	refused("groups that are gone")
	group("sg-1", w.subnets[0].Vpc)
	group("sg-2", "vpc-other")
	w.put(task)
	refused("a group of another VPC")
	group("sg-2", "vpc-other", w.subnets[0].Vpc)
	w.put(task)
	got := w.run("1")
	w.update(func(tx store.Tx) error {
		e, err := tables.NetworkInterfaces.Get(tx, "1", "us-east-1", got.Attachment.ENI)
		if fmt.Sprint(e.Groups) != "[sg-1 sg-2]" {
			t.Errorf("groups %v", e.Groups)
		}
		return err
	})
}

func TestKeysIgnoreDeletions(t *testing.T) {
	e := store.Event{Key: "k", Val: []byte(store.Key(tables.Tasks.Name, "1", "r", "c", "id"))}
	if k, err := keys(nil, e); err != nil || len(k) != 1 || k[0] != (Key{"1", "r", "c", "id"}) {
		t.Errorf("%v, %v", k, err)
	}
	e.Val = nil
	if k, _ := keys(nil, e); len(k) != 0 {
		t.Errorf("a deletion woke %v", k)
	}
}
