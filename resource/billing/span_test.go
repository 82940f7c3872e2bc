package billing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"neargate/resource/image"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

var spring = time.Date(2026, 3, 1, 10, 50, 0, 5e8, time.UTC)

// TestSpanRecord wants begun hours of what is paid by hours, a minute at least of an
// address, and seconds of storage.
func TestSpanRecord(t *testing.T) {
	for _, c := range []struct {
		d       Dimension
		after   time.Duration // since it began, before the span
		took    time.Duration
		gone    bool
		seconds int64
	}{
		{NAT, 0, 0, true, 3600},
		{NAT, 0, time.Second, true, 3600},
		{NAT, 0, time.Hour, true, 3600},
		{NAT, 0, time.Hour + 1, true, 7200},
		{NAT, 0, Turn, false, 24 * 3600},
		{Endpoint, 5 * Turn, 90 * time.Minute, true, 7200},
		{IdleIPv4, 0, 5 * time.Second, true, 60},
		{IdleIPv4, 0, 5 * time.Second, false, 5},
		{PublicIPv4, 10 * time.Second, 5 * time.Second, true, 50},
		{PublicIPv4, time.Hour, 5 * time.Second, true, 5},
		{IdleIPv4, 0, 61*time.Second + 1, true, 62},
		{ImageStorage, 0, 0, true, 0},
		{ImageStorage, 0, 5 * time.Second, true, 5},
		{ImageStorage, 0, -5 * time.Second, true, 0},
	} {
		s := Span{Account: "a", Region: "us-east-1", Thing: "x-1", Part: "p", Dimension: c.d, Units: 3, Since: spring.Add(c.after), Born: spring}
		r := s.Record(s.Since.Add(c.took), c.gone)
		if r.Seconds != c.seconds || r.Units != 3 || r.Task != "x-1/p" || r.End.Before(r.Start) {
			t.Errorf("%s for %v: %+v", c.d, c.took, r)
		}
	}
}

// TestMonths wants a GB that is kept for a month to cost a month, however long that
// is, in one piece, in days, and in random pieces.
func TestMonths(t *testing.T) {
	l, err := ReadList([]byte(`{"base": "aws", "region": "us-east-1", "sources": {"own": {"what": "own", "date": "2020-01-01"}}, "prices": [
		{"service": "AmazonECR", "usageType": "TimedStorage-ByteHrs", "unit": "GB-Mo", "price": "0.10", "from": "2020-01-01", "source": "own"},
		{"service": "AmazonCloudWatch", "usageType": "USE1-DataProcessing-Bytes", "unit": "GB", "price": "0.50", "from": "2020-01-01", "source": "own"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 3))
	for month := range 24 {
		from := time.Date(2024, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC)
		_, length := Month(from)
		use := (&Record{Labels: Labels{Dimension: ImageStorage}, Units: 5 << 20}).Use()
		lines, err := l.ChargeUse(use, from, length)
		if err != nil || Total(lines).String() != "0.5" || lines[0].Quantity.String() != "5" {
			t.Errorf("%v: %+v, %v", from, lines, err)
		}
		var sum Decimal
		for at, left := from, length+5*24*3600; left > 0; { // five days into the next month
			n := min(left, 1+rnd.Int64N(9*24*3600))
			lines, err := l.ChargeUse(use, at, n)
			if err != nil {
				t.Fatal(err)
			}
			sum, at, left = sum.Add(Total(lines)), at.Add(time.Duration(n)*time.Second), left-n
		}
		_, after := Month(from.AddDate(0, 1, 0))
		want := Ratio(1, 2).Add(Ratio(1, 2).Mul(Ratio(5*24*3600, after)))
		if sum.Cmp(want) != 0 {
			t.Errorf("%v: %s, want %s", from, sum, want)
		}
	}
	lines, err := l.ChargeUse((&Record{Labels: Labels{Dimension: LogIngestion}, Units: 3 << 19}).Use(), spring, 1)
	if err != nil || len(lines) != 1 || lines[0].Quantity.String() != "1.5" || lines[0].Net.String() != "0.75" {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestOf(t *testing.T) {
	at := spring
	tags := []network.Tag{{Key: "team", Value: "a"}}
	nat := edge.NatGateway{ID: "nat-1", State: edge.Available, CreatedAt: at, Addresses: []edge.NatAddress{{ENI: "eni-1"}}, Tags: tags}
	never := nat
	never.State, never.Addresses = edge.Deleting, []edge.NatAddress{{Allocation: "eipalloc-1"}}
	failed := nat
	failed.State = edge.Failed
	endpoint := edge.Endpoint{ID: "vpce-1", Type: edge.InterfaceEndpoint, State: edge.Deleting, Subnets: []string{"subnet-1", "subnet-2"}, CreatedAt: at}
	gateway := endpoint
	gateway.Type = edge.GatewayEndpoint
	idle := edge.ElasticIP{ID: "eipalloc-1"}
	used := edge.ElasticIP{ID: "eipalloc-1", ENI: "eni-1"}
	repository := image.Repository{Name: "team/app", Labels: []image.Label{{Key: "team", Value: "b"}}}
	for _, c := range []struct {
		spans []Span
		want  string
	}{
		{OfNatGateway(&nat), "nat-1  NatGateway-Hours 1 a;"},
		{OfNatGateway(&never), ""},
		{OfNatGateway(&failed), ""},
		{OfEndpoint(&endpoint), "vpce-1 subnet-1 VpcEndpoint-Hours 1 ;vpce-1 subnet-2 VpcEndpoint-Hours 1 ;"},
		{OfEndpoint(&gateway), ""},
		{OfAddress(&idle), "eipalloc-1  PublicIPv4:IdleAddress 1 ;"},
		{OfAddress(&used), "eipalloc-1  PublicIPv4:InUseAddress 1 ;"},
		{OfRepository(&repository, 1025), "repository/team/app  TimedStorage-ByteHrs 2 b;"},
		{OfRepository(&repository, 0), ""},
	} {
		got := ""
		for _, s := range c.spans {
			tag := ""
			if len(s.Tags) > 0 {
				tag = s.Tags[0].Value
			}
			got += fmt.Sprint(s.Thing, " ", s.Part, " ", s.Dimension.Usage(), " ", s.Units, " ", tag, ";")
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
