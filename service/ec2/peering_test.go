package ec2

import (
	"testing"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

const (
	peerAccount = "999988887777"
	peerRegion  = "eu-west-1"
)

// pair is a VPC of the caller and one of another account in another region.
func (b bench) pair() (other bench, mine, theirs string) {
	b.t.Helper()
	other = bench{b.Service, b.t, as(peerAccount, peerRegion)}
	mine, theirs = "vpc-0aaaaaaaaaaaaaaaa", "vpc-0bbbbbbbbbbbbbbbb"
	put(b, tables.Vpcs, network.Vpc{Account: testAccount, Region: "us-east-1", ID: mine, CIDR: "10.0.0.0/16"})
	put(b, tables.Vpcs, network.Vpc{Account: peerAccount, Region: peerRegion, ID: theirs, CIDR: "10.1.0.0/16"})
	return other, mine, theirs
}

// advance changes a connection as its controller would.
func (b bench) advance(id *string, change func(*edge.Peering)) {
	b.t.Helper()
	err := b.Deps.Store.Update(b.ctx, func(tx store.Tx) error {
		p, err := edges.Peerings.Get(tx, *id)
		if err != nil {
			return err
		}
		change(&p)
		return edges.Peerings.Put(tx, &p)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func pending(p *edge.Peering) { p.State = edge.PeeringPending }

func TestPeering(t *testing.T) {
	b := newBench(t)
	other, mine, theirs := b.pair()
	in := wire.CreateVpcPeeringConnectionInput{
		VpcId: &mine, PeerVpcId: &theirs, PeerOwnerId: new(peerAccount), PeerRegion: new(peerRegion),
		TagSpecifications: []wire.TagSpecification{{ResourceType: new("vpc-peering-connection"), Tags: []wire.Tag{{Key: new("k"), Value: new("v")}}}},
	}
	p := must(b, b.CreateVpcPeeringConnection, in).VpcPeeringConnection
	id := p.VpcPeeringConnectionId
	if *p.Status.Code != "initiating-request" || *p.Status.Message != "Initiating Request to "+peerAccount || *p.RequesterVpcInfo.CidrBlock != "10.0.0.0/16" ||
		p.AccepterVpcInfo.CidrBlock != nil || *p.AccepterVpcInfo.Region != peerRegion || p.ExpirationTime.Sub(b.Deps.Now()) != 7*24*time.Hour || *p.Tags[0].Key != "k" {
		t.Errorf("made %+v", p)
	}
	if again := must(b, b.CreateVpcPeeringConnection, in).VpcPeeringConnection; *again.VpcPeeringConnectionId != *id {
		t.Errorf("made %s and %s", *id, *again.VpcPeeringConnectionId)
	}
	fails(other, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "InvalidStateTransition",
		"Invalid state transition for "+*id+", attempted to transition from initiating-request to active")
	b.advance(id, pending)
	fails(b, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "OperationNotPermitted",
		"User "+testAccount+" cannot accept peering "+*id)
	fails(b, b.RejectVpcPeeringConnection, wire.RejectVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "OperationNotPermitted", "")
	fails(other, b.DeleteVpcPeeringConnection, wire.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "OperationNotPermitted", "")
	fails(b, b.ModifyVpcPeeringConnectionOptions, wire.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: id, RequesterPeeringConnectionOptions: &wire.PeeringConnectionOptionsRequest{}},
		"OperationNotPermitted", "Peering "+*id+" is not active. Peering options can be added only to active peerings.")
	active := must(other, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}).VpcPeeringConnection
	if *active.Status.Code != "active" || *active.AccepterVpcInfo.CidrBlock != "10.1.0.0/16" || active.ExpirationTime != nil || len(active.Tags) != 0 ||
		*active.RequesterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc {
		t.Errorf("accepted %+v", active)
	}
	fails(b, b.CreateVpcPeeringConnection, in, "VpcPeeringConnectionAlreadyExists", "")

	options := wire.ModifyVpcPeeringConnectionOptionsInput{
		VpcPeeringConnectionId: id, RequesterPeeringConnectionOptions: &wire.PeeringConnectionOptionsRequest{AllowDnsResolutionFromRemoteVpc: new(true)},
	}
	if out := must(b, b.ModifyVpcPeeringConnectionOptions, options); !*out.RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc || out.AccepterPeeringConnectionOptions != nil {
		t.Errorf("options %+v", out)
	}
	fails(other, b.ModifyVpcPeeringConnectionOptions, options, "OperationNotPermitted", "")
	// Each side has tags of its own.
	must(other, b.CreateTags, wire.CreateTagsInput{Resources: []string{*id}, Tags: []wire.Tag{{Key: new("theirs"), Value: new("")}}})
	for _, side := range []struct {
		b   bench
		key string
	}{{b, "k"}, {other, "theirs"}} {
		got := must(side.b, b.DescribeVpcPeeringConnections, wire.DescribeVpcPeeringConnectionsInput{Filters: where("tag-key", side.key)}).VpcPeeringConnections
		if len(got) != 1 || len(got[0].Tags) != 1 {
			t.Errorf("with the tag %s: %+v", side.key, got)
		}
	}
	must(other, b.DeleteVpcPeeringConnection, wire.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	fails(b, b.DeleteVpcPeeringConnection, wire.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "InvalidStateTransition", "")
	if got := must(b, b.DescribeVpcPeeringConnections, wire.DescribeVpcPeeringConnectionsInput{Filters: where("status-code", "deleted")}).VpcPeeringConnections; len(got) != 1 || *got[0].Status.Message != "Deleted by "+peerAccount {
		t.Errorf("deleted %+v", got)
	}
	stranger := bench{b.Service, t, as(peerAccount, "us-east-1")}
	fails(stranger, b.DeleteVpcPeeringConnection, wire.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "InvalidVpcPeeringConnectionID.NotFound",
		"The vpcPeeringConnection ID '"+*id+"' does not exist")
}

func TestPeeringThatOverlapsLater(t *testing.T) {
	b := newBench(t)
	other, mine, theirs := b.pair()
	in := wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: &theirs, PeerOwnerId: new(peerAccount), PeerRegion: new(peerRegion)}
	id := must(b, b.CreateVpcPeeringConnection, in).VpcPeeringConnection.VpcPeeringConnectionId
	b.advance(id, pending)
	put(b, tables.Vpcs, network.Vpc{Account: peerAccount, Region: peerRegion, ID: theirs, CIDR: "10.1.0.0/16", Secondary: []network.CIDRBlock{{CIDR: "10.0.0.0/24"}}})
	p := must(other, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}).VpcPeeringConnection
	if *p.Status.Code != "failed" {
		t.Errorf("accepted %+v", p.Status)
	}
}

func TestPeeringRejectedAndExpired(t *testing.T) {
	b := newBench(t)
	other, mine, theirs := b.pair()
	in := wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: &theirs, PeerOwnerId: new(peerAccount), PeerRegion: new(peerRegion)}
	id := must(b, b.CreateVpcPeeringConnection, in).VpcPeeringConnection.VpcPeeringConnectionId
	b.advance(id, pending)
	must(other, b.RejectVpcPeeringConnection, wire.RejectVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	fails(other, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "InvalidStateTransition", "")
	// One that came to an end is in nobody's way.
	id = must(b, b.CreateVpcPeeringConnection, in).VpcPeeringConnection.VpcPeeringConnectionId
	b.advance(id, func(p *edge.Peering) { pending(p); p.ExpiresAt = b.Deps.Now() })
	fails(other, b.AcceptVpcPeeringConnection, wire.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}, "InvalidStateTransition", "")
	must(b, b.DeleteVpcPeeringConnection, wire.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
}

func TestPeeringRefusals(t *testing.T) {
	b := newBench(t)
	_, mine, theirs := b.pair()
	for _, c := range []struct {
		in   wire.CreateVpcPeeringConnectionInput
		code string
	}{
		{wire.CreateVpcPeeringConnectionInput{PeerVpcId: &theirs}, "MissingParameter"},
		{wire.CreateVpcPeeringConnectionInput{VpcId: &mine}, "MissingParameter"},
		{wire.CreateVpcPeeringConnectionInput{VpcId: &theirs, PeerVpcId: &mine}, "InvalidVpcID.NotFound"},
		{wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: &theirs, PeerRegion: new("mars-1")}, "InvalidParameterValue"},
		{wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: &theirs, PeerOwnerId: new("me")}, "InvalidParameterValue"},
	} {
		fails(b, b.CreateVpcPeeringConnection, c.in, c.code, "")
	}
	fails(b, b.RejectVpcPeeringConnection, wire.RejectVpcPeeringConnectionInput{}, "MissingParameter", "")
	fails(b, b.RejectVpcPeeringConnection, wire.RejectVpcPeeringConnectionInput{VpcPeeringConnectionId: new("pcx-x")}, "InvalidVpcPeeringConnectionId.Malformed", "")
	fails(b, b.ModifyVpcPeeringConnectionOptions, wire.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: new("pcx-01234567890123456")}, "InvalidParameterCombination", "")
	for i := range 25 {
		in := wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: new(b.Deps.IDs.EC2("vpc"))}
		if i%2 == 0 {
			in.PeerOwnerId = new(peerAccount)
		}
		must(b, b.CreateVpcPeeringConnection, in)
	}
	fails(b, b.CreateVpcPeeringConnection, wire.CreateVpcPeeringConnectionInput{VpcId: &mine, PeerVpcId: &theirs}, "OutstandingVpcPeeringConnectionLimitExceeded", "")
	page := must(b, b.DescribeVpcPeeringConnections, wire.DescribeVpcPeeringConnectionsInput{MaxResults: new(int32(20))})
	rest := must(b, b.DescribeVpcPeeringConnections, wire.DescribeVpcPeeringConnectionsInput{MaxResults: new(int32(20)), NextToken: page.NextToken})
	if len(page.VpcPeeringConnections) != 20 || len(rest.VpcPeeringConnections) != 5 || rest.NextToken != nil {
		t.Errorf("pages of %d and %d", len(page.VpcPeeringConnections), len(rest.VpcPeeringConnections))
	}
}
