package route53

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	api "neargate/aws/route53"
)

func TestChange(t *testing.T) {
	w := newWorld(t)
	id := w.zone("example.com", nil)
	w.must(w.change(id,
		set("CREATE www.Example.com A 60 192.0.2.1|192.0.2.2"),
		set("CREATE *.example.com TXT 60 \"wild\""),
		set("UPSERT mail.example.com. MX 300 10 a.example.com|20 b.example.com"),
		weighted("CREATE w.example.com A 60 192.0.2.3", "one", 1),
		weighted("CREATE w.example.com A 60 192.0.2.4", "two", 0),
		multi("CREATE m.example.com A 60 192.0.2.5", "x"),
		multi("CREATE m.example.com A 60 192.0.2.6", "y"),
		alias("CREATE", "example.com", "A", id, "www.example.com"),
		alias("CREATE", "al.example.com", "A", id, "example.com."),
		set("UPSERT example.com NS 60 ns.example.org"),
	))
	want := []string{
		"example.com. A", "example.com. NS", "example.com. SOA", `\052.example.com. TXT`, "al.example.com. A", "m.example.com. A x", "m.example.com. A y",
		"mail.example.com. MX", "w.example.com. A one", "w.example.com. A two", "www.example.com. A",
	}
	for _, size := range []string{"1", "2", "3", "300"} {
		if got := w.sets(id, size); !slices.Equal(got, want) {
			t.Errorf("pages of %s: %v", size, got)
		}
	}
	out, err := w.ListResourceRecordSets(w.ctx, &api.ListResourceRecordSetsInput{HostedZoneId: &id, StartRecordName: new("w.example.com"), StartRecordType: new("A"), MaxItems: new("1")})
	w.must(err)
	if r := out.ResourceRecordSets[0]; *r.SetIdentifier != "one" || *r.Weight != 1 || *r.TTL != 60 || *r.ResourceRecords[0].Value != "192.0.2.3" {
		t.Errorf("listed %+v", r)
	}
	zone, err := w.GetHostedZone(w.ctx, &api.GetHostedZoneInput{Id: &id})
	w.must(err)
	if n := *zone.HostedZone.ResourceRecordSetCount; n != int64(len(want)) {
		t.Errorf("%d record sets", n)
	}
	// The order of values is nothing, and what is deleted may be created otherwise in
	// the same batch.
	w.must(w.change(id, set("DELETE www.example.com A 60 192.0.2.2|192.0.2.1"), set("CREATE www.example.com CNAME 60 example.org"),
		alias("DELETE", "example.com", "A", id, "www.example.com."), alias("DELETE", "al.example.com", "A", id, "example.com.")))
}

func TestChangeRefused(t *testing.T) {
	w := newWorld(t)
	id := w.zone("example.com", nil)
	w.must(w.change(id,
		set("CREATE a.example.com A 60 192.0.2.1"), set("CREATE c.example.com CNAME 60 a.example.com"),
		weighted("CREATE w.example.com A 60 192.0.2.1", "one", 1), multi("CREATE m.example.com A 60 192.0.2.1", "one"),
	))
	latency := set("CREATE x.example.com A 60 192.0.2.1")
	latency.ResourceRecordSet.Region, latency.ResourceRecordSet.SetIdentifier = new("us-east-1"), new("r")
	health := set("CREATE x.example.com A 60 192.0.2.1")
	health.ResourceRecordSet.HealthCheckId = new("h1")
	noTTL := set("CREATE x.example.com A 60 192.0.2.1")
	noTTL.ResourceRecordSet.TTL = nil
	noID := weighted("CREATE x.example.com A 60 192.0.2.1", "", 1)
	noID.ResourceRecordSet.SetIdentifier = nil
	noPolicy := set("CREATE x.example.com A 60 192.0.2.1")
	noPolicy.ResourceRecordSet.SetIdentifier = new("i")
	both := weighted("CREATE x.example.com A 60 192.0.2.1", "i", 1)
	both.ResourceRecordSet.MultiValueAnswer = new(true)
	twice := alias("CREATE", "x.example.com", "A", id, "a.example.com")
	twice.ResourceRecordSet.TTL = new(int64(1))
	const kinds = "[Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig]"
	tests := []struct {
		want    string
		changes []api.Change
	}{
		{"InvalidChangeBatch: [Tried to create resource record set [name='a.example.com.', type='A'] but it already exists]", []api.Change{set("CREATE A.example.com A 5 192.0.2.9")}},
		{"InvalidChangeBatch: [Tried to create resource record set [name='w.example.com.', type='A', set-identifier='one'] but it already exists]", []api.Change{weighted("CREATE w.example.com A 5 192.0.2.9", "one", 2)}},
		{"InvalidChangeBatch: [Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found]", []api.Change{set("DELETE b.example.com A 60 192.0.2.1")}},
		{"InvalidChangeBatch: [Tried to delete resource record set [name='a.example.com.', type='A'] but the values provided do not match the current values]", []api.Change{set("DELETE a.example.com A 61 192.0.2.1")}},
		{"InvalidChangeBatch: [Tried to delete resource record set [name='a.example.com.', type='A'] but the values provided do not match the current values, Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found]",
			[]api.Change{set("DELETE a.example.com A 60 192.0.2.2"), set("DELETE b.example.com A 60 192.0.2.2")}},
		{"InvalidChangeBatch: [RRSet with DNS name a.example.org. is not permitted in zone example.com.]", []api.Change{set("CREATE a.example.org A 60 192.0.2.1")}},
		{"InvalidChangeBatch: [RRSet with DNS name badexample.com. is not permitted in zone example.com.]", []api.Change{set("CREATE badexample.com A 60 192.0.2.1")}},
		{"InvalidChangeBatch: [RRSet of type CNAME with DNS name a.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]", []api.Change{set("CREATE a.example.com CNAME 60 b.c")}},
		{"InvalidChangeBatch: [RRSet of type TXT with DNS name c.example.com. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.com.]", []api.Change{set("UPSERT c.example.com TXT 60 \"t\"")}},
		{"InvalidChangeBatch: [RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]", []api.Change{set("CREATE example.com CNAME 60 b.c")}},
		{"InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'x'']", []api.Change{set("CREATE x.example.com A 60 x")}},
		{"InvalidChangeBatch: [Duplicate Resource Record: '192.0.2.1']", []api.Change{set("CREATE x.example.com A 60 192.0.2.1|192.0.2.1")}},
		{"InvalidChangeBatch: [FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with 'ä.example.com']", []api.Change{set("CREATE ä.example.com A 60 192.0.2.1")}},
		{"InvalidChangeBatch: [RRSet with DNS name w.example.com., type A cannot be created because other RRSets exist with the same name and type.]", []api.Change{set("CREATE w.example.com A 60 192.0.2.1")}},
		{"InvalidChangeBatch: [RRSet with DNS name a.example.com., type A, SetIdentifier i, cannot be created because other RRSets exist with the same name and type.]", []api.Change{weighted("CREATE a.example.com A 60 192.0.2.1", "i", 1)}},
		{"InvalidChangeBatch: [RRSet with DNS name w.example.com., type A, SetIdentifier i, cannot be created because a non multivalue answer rrset exists with the same name and type.]", []api.Change{multi("CREATE w.example.com A 60 192.0.2.1", "i")}},
		{"InvalidChangeBatch: [RRSet with DNS name m.example.com., type A, SetIdentifier i, cannot be created because other RRSets exist with the same name and type.]", []api.Change{weighted("CREATE m.example.com A 60 192.0.2.1", "i", 1)}},
		{"InvalidChangeBatch: [A HostedZone must contain exactly one SOA record.]", []api.Change{set("UPSERT a.example.com SOA 60 a. b. 1 2 3 4 5")}},
		{"InvalidChangeBatch: [Tried to create an alias that targets lb-1.us-east-1.elb.amazonaws.com., type A in zone Z35SXDOTRQ7X7K, but that target was not found]", []api.Change{alias("CREATE", "x.example.com", "A", "Z35SXDOTRQ7X7K", "lb-1.us-east-1.elb.amazonaws.com")}},
		{"InvalidChangeBatch: [Tried to create an alias that targets b.example.com., type A in zone " + id + ", but that target was not found]", []api.Change{alias("CREATE", "x.example.com", "A", id, "b.example.com")}},
		{"InvalidChangeBatch: [Tried to create an alias that targets a.example.com., type AAAA in zone " + id + ", but that target was not found]", []api.Change{alias("CREATE", "x.example.com", "AAAA", id, "a.example.com")}},
		{"InvalidChangeBatch: [Tried to create an alias that targets x.example.com., type A in zone " + id + ", but that target was not found]", []api.Change{alias("CREATE", "x.example.com", "A", id, "x.example.com")}},
		{"InvalidChangeBatch: [Tried to create an alias that targets a.example.org., type A in zone " + id + ", but the alias target name does not lie within the target zone]", []api.Change{alias("CREATE", "x.example.com", "A", id, "a.example.org")}},
		{"InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]", []api.Change{noTTL}},
		{"InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]", []api.Change{twice}},
		{"InvalidInput: Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]", []api.Change{noID}},
		{"InvalidInput: Invalid request: Expected exactly one of " + kinds + ", but found none in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=i]", []api.Change{noPolicy}},
		{"InvalidInput: Invalid request: Expected exactly one of " + kinds + ", but found more than one in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=i]", []api.Change{both}},
		{"InvalidInput: Invalid request: Region routing is not supported, in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=r]", []api.Change{latency}},
		{"NoSuchHealthCheck: A health check with id h1 does not exist.", []api.Change{health}},
	}
	before := w.sets(id, "300")
	for _, tt := range tests {
		// The first change is good, and must not be made.
		w.fails(w.change(id, append([]api.Change{set("CREATE good.example.com A 60 192.0.2.1")}, tt.changes...)...), tt.want)
		if got := w.sets(id, "300"); !slices.Equal(got, before) {
			t.Fatalf("after %s: %v", tt.want, got)
		}
	}
	for _, typ := range []string{"NS", "SOA"} {
		out, err := w.ListResourceRecordSets(w.ctx, &api.ListResourceRecordSetsInput{HostedZoneId: &id, StartRecordName: new("example.com"), StartRecordType: &typ, MaxItems: new("1")})
		w.must(err)
		err = w.change(id, api.Change{Action: new("DELETE"), ResourceRecordSet: &out.ResourceRecordSets[0]})
		if err == nil || !strings.HasPrefix(err.Error(), "InvalidChangeBatch: [A HostedZone must contain") {
			t.Errorf("deleted the zone's %s: %v", typ, err)
		}
	}
}

func TestBatchSize(t *testing.T) {
	w := newWorld(t)
	id := w.zone("example.com", nil)
	var changes []api.Change
	for i := range 1000 {
		changes = append(changes, set(fmt.Sprintf("CREATE n%d.example.com A 60 192.0.2.1", i)))
	}
	w.must(w.change(id, changes...))
	w.fails(w.change(id, append(changes, changes[0])...), "InvalidChangeBatch: [Number of records limit of 1000 exceeded.]")
	for i := range changes {
		changes[i].Action = new("UPSERT")
	}
	w.fails(w.change(id, changes[:501]...), "InvalidChangeBatch: [Number of records limit of 1000 exceeded.]")
	w.must(w.change(id, changes[:500]...))
	if got := w.sets(id, "300"); len(got) != 1002 {
		t.Errorf("%d record sets", len(got))
	}
	w.fails(w.change(id, set("CREATE t.example.com TXT 60 "+strings.Repeat("x", 32001))), "InvalidChangeBatch: [Number of characters limit of 32000 exceeded.]")
}

// TestChangesAgree makes random batches and compares what is listed with a simple
// account of them.
func TestChangesAgree(t *testing.T) {
	w := newWorld(t)
	id := w.zone("example.com", nil)
	r := rand.New(rand.NewSource(7))
	have := map[string]string{}
	for range 300 {
		next := map[string]string{}
		for k, v := range have {
			next[k] = v
		}
		var changes []api.Change
		ok := true
		for range 1 + r.Intn(4) {
			name := fmt.Sprintf("n%d.example.com.", r.Intn(6))
			value := fmt.Sprintf("192.0.2.%d", r.Intn(3))
			action := []string{"CREATE", "UPSERT", "DELETE"}[r.Intn(3)]
			changes = append(changes, set(action+" "+name+" A 60 "+value))
			old, exists := next[name]
			switch {
			case action == "CREATE" && exists, action == "DELETE" && (!exists || old != value):
				ok = false
			case action == "DELETE":
				delete(next, name)
			default:
				next[name] = value
			}
		}
		if err := w.change(id, changes...); (err == nil) != ok {
			t.Fatalf("accepted %v, want %v: %v", err == nil, ok, err)
		}
		if ok {
			have = next
		}
		out, err := w.ListResourceRecordSets(w.ctx, &api.ListResourceRecordSetsInput{HostedZoneId: &id})
		w.must(err)
		got := map[string]string{}
		for _, s := range out.ResourceRecordSets {
			if *s.Type == "A" {
				got[*s.Name] = *s.ResourceRecords[0].Value
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(have) {
			t.Fatalf("listed %v, want %v", got, have)
		}
	}
}
