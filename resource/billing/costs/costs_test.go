package costs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"neargate/resource/billing"
	"neargate/resource/compute"
)

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func random(rnd *rand.Rand, id int) billing.Record {
	dimensions := []billing.Dimension{billing.VCPU, billing.Memory, billing.SpotVCPU, billing.SpotMemory, billing.Storage, billing.PublicIPv4, billing.WinVCPU}
	r := billing.Record{Task: fmt.Sprint(id), Labels: billing.Labels{
		Account: fmt.Sprint("acc", rnd.IntN(2)), Region: []string{"us-east-1", "ap-northeast-1"}[rnd.IntN(2)], Cluster: fmt.Sprint("c", rnd.IntN(2)),
		Family: "f", Revision: 1 + rnd.IntN(2), Dimension: dimensions[rnd.IntN(len(dimensions))],
		Tags: []compute.Tag{{Key: "team", Value: fmt.Sprint(rnd.IntN(3))}},
	}}
	r.Start = day("2026-03-20").Add(time.Duration(rnd.Int64N(int64(20 * 24 * time.Hour))))
	r.Seconds, r.Units = 60+rnd.Int64N(3*24*3600), 1+rnd.Int64N(4096)
	return r
}

// TestExact adds random usage up in every way there is, over days on which prices
// change, and wants of each way the very sum of what every record costs by itself.
func TestExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var want billing.Decimal
	var unpriced billing.Decimal
	var records []billing.Record
	for i := range 400 {
		r := random(rnd, i)
		records = append(records, r)
		l, err := billing.AWS(r.Region)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := l.ChargeUse(r.Use(), r.Start, r.Seconds)
		if err != nil {
			unpriced = unpriced.Add(r.Dimension.Quantity(r.Seconds*r.Units, r.Start))
			continue
		}
		want = want.Add(billing.Total(lines))
	}
	for _, step := range []Step{Total, Hourly, Daily, Monthly} {
		for _, by := range []string{"", "account", "region,cluster", "usage-type", "tag:team,task-definition", "service"} {
			q := Query{From: day("2026-03-01"), To: day("2026-05-15"), Step: step}
			for name := range strings.SplitSeq(by, ",") {
				if name == "" {
					continue
				}
				g, err := By(name)
				if err != nil {
					t.Fatal(err)
				}
				q.GroupBy = append(q.GroupBy, g)
			}
			s := NewSheet(q, billing.AWS)
			for i := range records {
				for row := range records[i].Rows() {
					s.Add(row)
				}
			}
			var sum billing.Decimal
			n, free, last := int64(0), billing.Decimal{}, Cell{}
			for _, c := range s.Cells() {
				sum, n = sum.Add(c.Cost()), n+c.Records
				for _, u := range c.Unpriced {
					free = free.Add(u.Quantity)
				}
				if !c.Start.Before(c.End) || c.Start.Before(last.Start) {
					t.Fatalf("%s by %q: cells out of order: %v, %v", step, by, last, c)
				}
				last = c
			}
			if sum.Cmp(want) != 0 || n != int64(len(records)) || free.Cmp(unpriced) != 0 {
				t.Errorf("%s by %q: %s of %d records, want %s of %d; free %s", step, by, sum, n, want, len(records), free)
			}
		}
	}
}

func TestFilterAndTime(t *testing.T) {
	r := billing.Record{Labels: billing.Labels{Account: "a", Region: "us-east-1", Dimension: billing.VCPU}, Start: day("2026-03-31").Add(22 * time.Hour), Seconds: 4 * 3600, Units: 1024}
	q := Query{From: day("2026-03-31").Add(23 * time.Hour), To: day("2026-04-01").Add(time.Hour), Step: Monthly}
	s := NewSheet(q, billing.AWS)
	for row := range r.Rows() {
		s.Add(row)
	}
	cells := s.Cells()
	if len(cells) != 2 || cells[0].Cost().String() != "0.04048" || cells[1].Cost().String() != "0.04048" || !cells[0].End.Equal(day("2026-04-01")) {
		t.Errorf("%+v", cells)
	}
	q.Keep = func(l *billing.Labels) bool { return l.Account == "b" }
	s = NewSheet(q, billing.AWS)
	for row := range r.Rows() {
		s.Add(row)
	}
	if cells := s.Cells(); len(cells) != 0 {
		t.Errorf("%+v", cells)
	}
	if p := (Query{From: day("2026-01-15"), To: day("2026-03-02"), Step: Monthly}).Periods(); len(p) != 3 || p[0][1] != day("2026-02-01") || p[2][1] != day("2026-03-02") {
		t.Errorf("%v", p)
	}
}

func TestUnpricedRegion(t *testing.T) {
	r := billing.Record{Labels: billing.Labels{Account: "a", Region: "ap-northeast-3", Dimension: billing.VCPU}, Start: day("2026-03-31"), Seconds: 3600, Units: 256}
	s := NewSheet(Query{From: day("2026-03-01"), To: day("2026-04-01"), Step: Total}, func(region string) (*billing.List, error) { return nil, errors.New("none of " + region) })
	for row := range r.Rows() {
		s.Add(row)
	}
	c := s.Cells()[0]
	if len(c.Lines) != 0 || len(c.Unpriced) != 1 || c.Unpriced[0].Quantity.String() != "0.25" || c.Unpriced[0].Why.Error() != "none of ap-northeast-3" {
		t.Errorf("%+v", c)
	}
}

func TestBy(t *testing.T) {
	for _, name := range []string{"", "tag:", "moon", "tag"} {
		if _, err := By(name); err == nil {
			t.Errorf("%q is nothing to group by", name)
		}
	}
}
