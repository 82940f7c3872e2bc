package node

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// billed is a line of neargate bill as JSON.
type billed struct{ UsageType, Quantity, Price, Cost string }

// bill wants the bill of the tenant to be that of one task, to the last digit: the
// time from the start of the pull to the end that DescribeTasks tells, rounded up
// to the second, a minute at least, times a quarter of a vCPU and half a GB, at the
// prices of us-east-1. The address has no times in DescribeTasks; it was there for
// as long as the task, and a little before.
func (c *tenant) bill(t *testing.T, x types.Task) {
	t.Helper()
	said, err := c.Run("bill", "--data-dir", c.Dir, "--account", c.account, "--format", "json")
	ok(t, err)
	var bill struct {
		Cost string
		Rows []struct{ Lines []billed }
	}
	ok(t, json.Unmarshal([]byte(said), &bill))
	if len(bill.Rows) != 1 {
		t.Fatalf("the bill: %s", said)
	}
	took := x.StoppedAt.Sub(*x.PullStartedAt)
	seconds := max(60, int64((took+time.Second-1)/time.Second))
	total := new(big.Rat)
	for _, n := range bill.Rows[0].Lines {
		if n.UsageType == "USE1-PublicIPv4:InUseAddress" {
			quantity, good := new(big.Rat).SetString(n.Quantity)
			if !good || quantity.Cmp(big.NewRat(seconds, 3600)) < 0 || quantity.Cmp(big.NewRat(seconds+60, 3600)) > 0 {
				t.Errorf("the address for %s hours, the task for %d s", n.Quantity, seconds)
			}
			total.Add(total, new(big.Rat).Mul(quantity, big.NewRat(5, 1000)))
			continue
		}
		want := map[string]struct {
			size  *big.Rat
			price string
		}{
			"USE1-Fargate-vCPU-Hours:perCPU": {big.NewRat(1, 4), "0.04048"},
			"USE1-Fargate-GB-Hours":          {big.NewRat(1, 2), "0.004445"},
		}[n.UsageType]
		if want.size == nil {
			t.Fatalf("the bill has %s: %s", n.UsageType, said)
		}
		quantity := new(big.Rat).Mul(want.size, big.NewRat(seconds, 3600))
		price, _ := new(big.Rat).SetString(want.price)
		cost := new(big.Rat).Mul(quantity, price)
		if !same(n.Quantity, quantity) || n.Price != want.price || !same(n.Cost, cost) {
			t.Errorf("%+v of a task that took %s, want %s and %s", n, took, quantity.FloatString(18), cost.FloatString(18))
		}
		total.Add(total, cost)
	}
	if got, good := new(big.Rat).SetString(bill.Cost); !good || off(got, total).Cmp(big.NewRat(1, 1e15)) > 0 {
		t.Errorf("together %s, want %s", bill.Cost, total.FloatString(18))
	}
}

// same reports whether a printed number is n, rounded to 18 digits.
func same(text string, n *big.Rat) bool {
	got, good := new(big.Rat).SetString(text)
	return good && got.FloatString(18) == n.FloatString(18)
}

func off(a, b *big.Rat) *big.Rat {
	d := new(big.Rat).Sub(a, b)
	return d.Abs(d)
}
