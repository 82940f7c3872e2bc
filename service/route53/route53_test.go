package route53

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/route53"
	"neargate/resource/network"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/zones"
)

const (
	account = "123456789012"
	other   = "210987654321"
)

type world struct {
	*Service
	ctx, away context.Context // of two accounts
	t         *testing.T
	now       time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)}
	w.Service = New(service.Deps{
		Store: mem.New(mem.Paranoid()), Now: func() time.Time { return w.now }, IDs: arn.NewSource(rand.New(rand.NewSource(1))), TokenKey: [32]byte{7},
	})
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: "us-east-1"})
	w.away = auth.WithCaller(t.Context(), auth.Caller{Account: other, Region: "us-east-1"})
	for _, v := range []network.Vpc{
		{Account: account, Region: "us-east-1", ID: "vpc-1"}, {Account: account, Region: "eu-west-1", ID: "vpc-2"}, {Account: other, Region: "us-east-1", ID: "vpc-3"},
	} {
		w.must(w.deps.Store.Update(t.Context(), func(tx store.Tx) error { return tables.Vpcs.Put(tx, &v) }))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fails checks an error, "Code: message".
func (w *world) fails(err error, want string) {
	w.t.Helper()
	if err == nil || err.Error() != want {
		w.t.Errorf("error %v\nwant  %s", err, want)
	}
}

func vpc(id, region string) *api.VPC { return &api.VPC{VPCId: &id, VPCRegion: &region} }

// zone makes a hosted zone, a private one where there is a VPC, and returns its id.
func (w *world) zone(name string, v *api.VPC) string {
	w.t.Helper()
	out, err := w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: &name, CallerReference: new(fmt.Sprint(name, v != nil)), VPC: v})
	w.must(err)
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
}

// set reads "ACTION NAME TYPE TTL VALUE|VALUE".
func set(text string) api.Change {
	f := strings.SplitN(text, " ", 5)
	var ttl int64
	fmt.Sscan(f[3], &ttl)
	c := api.Change{Action: &f[0], ResourceRecordSet: &api.ResourceRecordSet{Name: &f[1], Type: &f[2], TTL: &ttl}}
	for _, v := range strings.Split(f[4], "|") {
		c.ResourceRecordSet.ResourceRecords = append(c.ResourceRecordSet.ResourceRecords, api.ResourceRecord{Value: &v})
	}
	return c
}

func alias(action, name, typ, zone, target string) api.Change {
	return api.Change{Action: &action, ResourceRecordSet: &api.ResourceRecordSet{
		Name: &name, Type: &typ, AliasTarget: &api.AliasTarget{HostedZoneId: &zone, DNSName: &target, EvaluateTargetHealth: new(false)},
	}}
}

func weighted(text, id string, weight int64) api.Change {
	c := set(text)
	c.ResourceRecordSet.SetIdentifier, c.ResourceRecordSet.Weight = &id, &weight
	return c
}

func multi(text, id string) api.Change {
	c := set(text)
	c.ResourceRecordSet.SetIdentifier, c.ResourceRecordSet.MultiValueAnswer = &id, new(true)
	return c
}

func (w *world) change(zone string, changes ...api.Change) error {
	_, err := w.ChangeResourceRecordSets(w.ctx, &api.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &api.ChangeBatch{Changes: changes}})
	return err
}

// sets are the record sets of a zone, page by page.
func (w *world) sets(zone string, pageSize string) (all []string) {
	w.t.Helper()
	in := &api.ListResourceRecordSetsInput{HostedZoneId: &zone, MaxItems: &pageSize}
	for {
		out, err := w.ListResourceRecordSets(w.ctx, in)
		w.must(err)
		for _, r := range out.ResourceRecordSets {
			all = append(all, strings.TrimSpace(*r.Name+" "+*r.Type+" "+deref(r.SetIdentifier)))
		}
		if !*out.IsTruncated {
			return all
		}
		in.StartRecordName, in.StartRecordType, in.StartRecordIdentifier = out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier
	}
}

func TestPublicZone(t *testing.T) {
	w := newWorld(t)
	in := &api.CreateHostedZoneInput{Name: new("Example.com"), CallerReference: new("r"), HostedZoneConfig: &api.HostedZoneConfig{Comment: new("c")}}
	out, err := w.CreateHostedZone(w.ctx, in)
	w.must(err)
	z := out.HostedZone
	id := strings.TrimPrefix(*z.Id, "/hostedzone/")
	if *z.Name != "example.com." || *z.ResourceRecordSetCount != 2 || *z.Config.PrivateZone || *z.Config.Comment != "c" ||
		len(out.DelegationSet.NameServers) != 4 || *out.Location != "https://route53.amazonaws.com/2013-04-01/hostedzone/"+id || *out.ChangeInfo.Status != "PENDING" {
		t.Errorf("created %+v", out)
	}
	change, err := w.GetChange(w.ctx, &api.GetChangeInput{Id: out.ChangeInfo.Id})
	w.must(err)
	if *change.ChangeInfo.Status != "INSYNC" || *change.ChangeInfo.Id != *out.ChangeInfo.Id {
		t.Errorf("change %+v", change.ChangeInfo)
	}
	_, err = w.GetChange(w.away, &api.GetChangeInput{Id: out.ChangeInfo.Id})
	w.fails(err, "NoSuchChange: Could not find resource with ID: "+strings.TrimPrefix(*out.ChangeInfo.Id, "/change/"))
	_, err = w.CreateHostedZone(w.ctx, in)
	w.fails(err, "HostedZoneAlreadyExists: A hosted zone has already been created with the specified caller reference.")
	_, err = w.GetHostedZone(w.away, &api.GetHostedZoneInput{Id: &id})
	w.fails(err, "NoSuchHostedZone: No hosted zone found with ID: "+id)
	if got := w.sets(id, "1"); !slices.Equal(got, []string{"example.com. NS", "example.com. SOA"}) {
		t.Errorf("born with %v", got)
	}
	_, err = w.AssociateVPCWithHostedZone(w.ctx, &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-1", "us-east-1")})
	if err == nil || !strings.HasPrefix(err.Error(), "PublicZoneVPCAssociation: ") {
		t.Errorf("associated: %v", err)
	}
	w.must(w.change(id, set("CREATE a.example.com A 60 192.0.2.1")))
	_, err = w.DeleteHostedZone(w.ctx, &api.DeleteHostedZoneInput{Id: &id})
	w.fails(err, "HostedZoneNotEmpty: The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	w.must(w.change(id, set("DELETE a.example.com A 60 192.0.2.1")))
	_, err = w.DeleteHostedZone(w.ctx, &api.DeleteHostedZoneInput{Id: &id})
	w.must(err)
	w.must(w.deps.Store.View(t.Context(), func(tx store.Tx) error {
		for _, p := range append(zones.Zones.Prefixes(), zones.RecordSets.Prefixes()...) {
			if n := tx.Count(p); n != 0 {
				t.Errorf("%d keys of %q are left", n, p)
			}
		}
		return nil
	}))
}

func TestPrivateZone(t *testing.T) {
	w := newWorld(t)
	private := &api.HostedZoneConfig{PrivateZone: new(true)}
	_, err := w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: new("a.internal"), CallerReference: new("1"), HostedZoneConfig: private})
	w.fails(err, "InvalidInput: When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
	_, err = w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: new("a..b"), CallerReference: new("1")})
	w.fails(err, "InvalidDomainName: FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with 'a..b'")
	for _, v := range []*api.VPC{vpc("vpc-1", "eu-west-1"), vpc("vpc-3", "us-east-1"), vpc("vpc-9", "us-east-1")} {
		_, err := w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: new("a.internal"), CallerReference: new("1"), VPC: v})
		w.fails(err, fmt.Sprintf("InvalidVPCId: The VPC %s in region %s does not exist or is not owned by account 123456789012.", *v.VPCId, *v.VPCRegion))
	}
	id := w.zone("a.internal", vpc("vpc-1", "us-east-1"))
	_, err = w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: new("A.internal."), CallerReference: new("2"), VPC: vpc("vpc-1", "us-east-1")})
	w.fails(err, "ConflictingDomainExists: The VPC vpc-1 in region us-east-1 has already been associated with the hosted zone "+id+" with the same domain name.")
	get := func() string {
		out, err := w.GetHostedZone(w.ctx, &api.GetHostedZoneInput{Id: new("/hostedzone/" + id)})
		w.must(err)
		var all []string
		for _, v := range out.VPCs {
			all = append(all, *v.VPCRegion+"/"+*v.VPCId)
		}
		return fmt.Sprint(*out.HostedZone.Config.PrivateZone, out.DelegationSet == nil, all)
	}
	if got := get(); got != "true true [us-east-1/vpc-1]" {
		t.Errorf("zone %s", got)
	}
	_, err = w.DisassociateVPCFromHostedZone(w.ctx, &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-1", "us-east-1")})
	w.fails(err, "LastVPCAssociation: Cannot remove last VPC association for the private zone")
	_, err = w.DisassociateVPCFromHostedZone(w.ctx, &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-2", "eu-west-1")})
	w.fails(err, "VPCAssociationNotFound: The VPC vpc-2 in region eu-west-1 is not associated with the hosted zone "+id+".")
	_, err = w.AssociateVPCWithHostedZone(w.ctx, &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-2", "eu-west-1")})
	w.must(err)
	_, err = w.DisassociateVPCFromHostedZone(w.ctx, &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-1", "us-east-1")})
	w.must(err)
	if got := get(); got != "true true [eu-west-1/vpc-2]" {
		t.Errorf("zone %s", got)
	}
	_, err = w.GetDNSSEC(w.ctx, &api.GetDNSSECInput{HostedZoneId: &id})
	w.fails(err, "InvalidArgument: Operation is not supported for private hosted zones.")
	limit, err := w.GetHostedZoneLimit(w.ctx, &api.GetHostedZoneLimitInput{HostedZoneId: &id, Type: new("MAX_VPCS_ASSOCIATED_BY_ZONE")})
	w.must(err)
	if *limit.Count != 1 || *limit.Limit.Value != 300 {
		t.Errorf("limit %+v", limit)
	}
}

// TestOtherAccount associates a VPC of another account, which both must want.
func TestOtherAccount(t *testing.T) {
	w := newWorld(t)
	id := w.zone("a.internal", vpc("vpc-1", "us-east-1"))
	v := vpc("vpc-3", "us-east-1")
	associate := func() error {
		_, err := w.AssociateVPCWithHostedZone(w.away, &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &id, VPC: v})
		return err
	}
	w.fails(associate(), "NotAuthorizedException: The VPC: vpc-3 has not been authorized to be associated with your hosted zone.")
	_, err := w.CreateVPCAssociationAuthorization(w.away, &api.CreateVPCAssociationAuthorizationInput{HostedZoneId: &id, VPC: v})
	w.fails(err, "NoSuchHostedZone: No hosted zone found with ID: "+id)
	for range 2 {
		_, err = w.CreateVPCAssociationAuthorization(w.ctx, &api.CreateVPCAssociationAuthorizationInput{HostedZoneId: &id, VPC: v})
		w.must(err)
	}
	_, err = w.CreateVPCAssociationAuthorization(w.ctx, &api.CreateVPCAssociationAuthorizationInput{HostedZoneId: &id, VPC: vpc("vpc-4", "us-east-1")})
	w.must(err)
	w.must(associate())
	listed, err := w.ListVPCAssociationAuthorizations(w.ctx, &api.ListVPCAssociationAuthorizationsInput{HostedZoneId: &id, MaxResults: new("1")})
	w.must(err)
	if len(listed.VPCs) != 1 || *listed.VPCs[0].VPCId != "vpc-3" || listed.NextToken == nil {
		t.Fatalf("authorized %+v", listed)
	}
	listed, err = w.ListVPCAssociationAuthorizations(w.ctx, &api.ListVPCAssociationAuthorizationsInput{HostedZoneId: &id, NextToken: listed.NextToken})
	w.must(err)
	if len(listed.VPCs) != 1 || *listed.VPCs[0].VPCId != "vpc-4" || listed.NextToken != nil {
		t.Errorf("authorized %+v", listed)
	}
	_, err = w.ListVPCAssociationAuthorizations(w.ctx, &api.ListVPCAssociationAuthorizationsInput{HostedZoneId: &id, NextToken: new("x")})
	if err == nil || !strings.HasPrefix(err.Error(), "InvalidPaginationToken: ") {
		t.Errorf("a token made up: %v", err)
	}
	_, err = w.DeleteVPCAssociationAuthorization(w.ctx, &api.DeleteVPCAssociationAuthorizationInput{HostedZoneId: &id, VPC: v})
	w.must(err)
	_, err = w.DeleteVPCAssociationAuthorization(w.ctx, &api.DeleteVPCAssociationAuthorizationInput{HostedZoneId: &id, VPC: v})
	if err == nil || !strings.HasPrefix(err.Error(), "VPCAssociationAuthorizationNotFound: ") {
		t.Errorf("deleted twice: %v", err)
	}
	seen, err := w.ListHostedZonesByVPC(w.away, &api.ListHostedZonesByVPCInput{VPCId: v.VPCId, VPCRegion: v.VPCRegion})
	w.must(err)
	if len(seen.HostedZoneSummaries) != 1 || *seen.HostedZoneSummaries[0].HostedZoneId != id || *seen.HostedZoneSummaries[0].Owner.OwningAccount != account {
		t.Errorf("seen %+v", seen)
	}
	_, err = w.ListHostedZonesByVPC(w.ctx, &api.ListHostedZonesByVPCInput{VPCId: v.VPCId, VPCRegion: v.VPCRegion})
	if err == nil || !strings.HasPrefix(err.Error(), "InvalidVPCId: ") {
		t.Errorf("another account's VPC: %v", err)
	}
	_, err = w.DisassociateVPCFromHostedZone(w.away, &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: vpc("vpc-1", "us-east-1")})
	if err == nil || !strings.HasPrefix(err.Error(), "InvalidVPCId: ") {
		t.Errorf("another account's association: %v", err)
	}
	_, err = w.DisassociateVPCFromHostedZone(w.away, &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: v})
	w.must(err)
	w.fails(associate(), "NotAuthorizedException: The VPC: vpc-3 has not been authorized to be associated with your hosted zone.")
}

func TestListZones(t *testing.T) {
	w := newWorld(t)
	names := []string{"b.com", "a.b.com", "a.com", "z.org", "b.com"}
	for i, n := range names {
		_, err := w.CreateHostedZone(w.ctx, &api.CreateHostedZoneInput{Name: &n, CallerReference: new(fmt.Sprint(i))})
		w.must(err)
	}
	w.zone("b.com", vpc("vpc-1", "us-east-1"))
	count, err := w.GetHostedZoneCount(w.ctx, nil)
	w.must(err)
	if *count.HostedZoneCount != 6 {
		t.Errorf("%d zones", *count.HostedZoneCount)
	}
	var ids []string
	in := &api.ListHostedZonesInput{MaxItems: new("4")}
	for {
		out, err := w.ListHostedZones(w.ctx, in)
		w.must(err)
		for _, z := range out.HostedZones {
			ids = append(ids, *z.Id)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.NextMarker
	}
	if len(ids) != 6 || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != 6 {
		t.Errorf("listed %v", ids)
	}
	private, err := w.ListHostedZones(w.ctx, &api.ListHostedZonesInput{HostedZoneType: new("PrivateHostedZone")})
	w.must(err)
	if len(private.HostedZones) != 1 {
		t.Errorf("private %+v", private.HostedZones)
	}
	var got []string
	by := &api.ListHostedZonesByNameInput{MaxItems: new("2"), DNSName: new("b.com")}
	for {
		out, err := w.ListHostedZonesByName(w.ctx, by)
		w.must(err)
		for _, z := range out.HostedZones {
			got = append(got, *z.Name)
		}
		if !*out.IsTruncated {
			break
		}
		by.DNSName, by.HostedZoneId = out.NextDNSName, out.NextHostedZoneId
	}
	if want := []string{"b.com.", "b.com.", "b.com.", "a.b.com.", "z.org."}; !slices.Equal(got, want) {
		t.Errorf("by name %v", got)
	}
	_, err = w.ListHostedZones(w.ctx, &api.ListHostedZonesInput{MaxItems: new("many")})
	if err == nil || !strings.HasPrefix(err.Error(), "InvalidInput: ") {
		t.Errorf("a page of many: %v", err)
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	id := w.zone("a.com", nil)
	tag := func(add map[string]string, remove ...string) error {
		in := &api.ChangeTagsForResourceInput{ResourceType: new("hostedzone"), ResourceId: &id, RemoveTagKeys: remove}
		for k, v := range add {
			in.AddTags = append(in.AddTags, api.Tag{Key: &k, Value: &v})
		}
		_, err := w.ChangeTagsForResource(w.ctx, in)
		return err
	}
	w.must(tag(map[string]string{"a": "1", "b": "2"}))
	w.must(tag(map[string]string{"a": "3"}, "b", "none"))
	w.fails(tag(map[string]string{"aws:a": "1"}), "InvalidInput: The tag key aws:a begins with aws:, which is reserved.")
	out, err := w.ListTagsForResources(w.ctx, &api.ListTagsForResourcesInput{ResourceType: new("hostedzone"), ResourceIds: []string{id}})
	w.must(err)
	if s := out.ResourceTagSets; len(s) != 1 || len(s[0].Tags) != 1 || *s[0].Tags[0].Key != "a" || *s[0].Tags[0].Value != "3" || *s[0].ResourceId != id {
		t.Errorf("tags %+v", s)
	}
	_, err = w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceType: new("healthcheck"), ResourceId: new("h")})
	w.fails(err, "NoSuchHealthCheck: A health check with id h does not exist.")
}

func TestOldChangesGo(t *testing.T) {
	w := newWorld(t)
	id := w.zone("a.com", nil)
	for range 20 {
		w.must(w.change(id, set("UPSERT b.a.com A 60 192.0.2.1")))
	}
	w.now = w.now.Add(31 * 24 * time.Hour)
	for range 3 {
		w.must(w.change(id, set("UPSERT b.a.com A 60 192.0.2.1")))
	}
	w.must(w.deps.Store.View(t.Context(), func(tx store.Tx) error {
		if n := tx.Count(store.Prefix(zones.Changes.Name)); n != 3 {
			t.Errorf("%d changes are kept", n)
		}
		return nil
	}))
}
