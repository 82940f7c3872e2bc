package billing

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestEveryListOfAWS(t *testing.T) {
	if len(Regions()) < 22 {
		t.Fatalf("only %v", Regions())
	}
	form := regexp.MustCompile(`^[A-Z]{2,4}[0-9]?-(SpotUsage-)?(Fargate|ECS)-`)
	for _, region := range Regions() {
		l := aws(t, region)
		if l.Region != region || l.Currency != "USD" {
			t.Errorf("%s holds %s in %s", region, l.Region, l.Currency)
		}
		if _, err := l.Charge(Size{CPU: 256, Memory: 512}, day("2026-10-01"), 60, 1); err != nil {
			t.Error(err)
		}
		for _, d := range Dimensions() {
			if u := d.UsageType(region, l.Code); d.Service() == "AmazonECS" && !form.MatchString(u) {
				t.Errorf("%s is no usage type", u)
			}
			for i, p := range l.Prices(d) {
				if s := l.Sources[p.Source]; s.What == "" || s.Date.IsZero() || p.Amount.Sign() <= 0 {
					t.Errorf("%s: price %d of %s is %s by %q", region, i, d, p.Amount, p.Source)
				}
				if i > 0 && !l.Prices(d)[i-1].From.Before(p.From.Time) {
					t.Errorf("%s: the prices of %s are not in order", region, d)
				}
			}
		}
	}
	if p := aws(t, "us-east-1").Prices(WinVCPU); len(p) != 2 || len(p[1].Disputed) == 0 {
		t.Errorf("the prices of Windows in us-east-1 are disputed, the list says %+v", p)
	}
}

func TestUsageTypes(t *testing.T) {
	for want, got := range map[string]string{
		"APN1-Fargate-vCPU-Hours:perCPU":           VCPU.UsageType("ap-northeast-1", "APN1"),
		"EU-Fargate-ARM-GB-Hours":                  ARMMemory.UsageType("eu-west-1", "EU"),
		"USE1-Fargate-EphemeralStorage-GB-Hours":   Storage.UsageType("us-east-1", "USE1"),
		"NatGateway-Hours":                         NAT.UsageType("us-east-1", "USE1"),
		"APN1-NatGateway-Hours":                    NAT.UsageType("ap-northeast-1", "APN1"),
		"USE1-SpotUsage-Fargate-vCPU-Hours:perCPU": SpotVCPU.UsageType("us-east-1", "USE1"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestUnknownRegion(t *testing.T) {
	for _, region := range []string{"", "mars-1", "../prices/us-east-1", "page/us-east-1", "me-central-1"} {
		if _, err := AWS(region); err == nil || !strings.Contains(err.Error(), "known are af-south-1") {
			t.Errorf("%q: %v", region, err)
		}
	}
}

// own is a good price list; each bad one below differs in one place.
const own = `{
  "base": "aws", "region": "ap-northeast-1",
  "sources": {"desk": {"what": "our own", "date": "2026-10-01"}},
  "terms": {"minimumSeconds": 1, "discounts": [{"name": "team", "percent": 12.5, "usage": ["Fargate-GB-Hours"]}]},
  "prices": [
    {"service": "AmazonECS", "usageType": "APN1-Fargate-Windows-vCPU-Hours:perCPU", "unit": "hours", "price": 0.06, "from": "2026-10-01", "source": "desk"},
    {"service": "AmazonECS", "usageType": "APN1-Fargate-vCPU-Hours:perCPU", "unit": "hours", "price": "0.1", "from": "2026-10-01", "source": "desk"}
  ]
}`

func TestOwnList(t *testing.T) {
	l, err := ReadList([]byte(own))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := l.Charge(Size{CPU: 1024, Memory: 2048}, day("2026-10-01"), 30, 120)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || lines[0].Net.String() != "0.1" || lines[0].Source != "desk" {
		t.Errorf("vCPU: %+v", lines)
	}
	if lines[1].Gross.String() != "0.01106" || lines[1].Net.String() != "0.0096775" {
		t.Errorf("memory is AWS's, less an eighth: %s %s", lines[1].Gross, lines[1].Net)
	}
	if got := len(l.Prices(VCPU)); got != 1 {
		t.Errorf("the own series stands in place of AWS's, which had %d prices", got)
	}
}

func TestMalformedLists(t *testing.T) {
	if _, err := ReadList([]byte(own)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{own, "", "EOF"},
		{own, "[]", "cannot unmarshal"},
		{`"base"`, "base", "line 2"},
		{"\n}", "\n} {}", "after the end"},
		{`"base": "aws"`, `"bass": "aws"`, `unknown field "bass"`},
		{`"base": "aws"`, `"base": "gcp"`, `"gcp" is neither`},
		{`"base": "aws", `, ``, "code"},
		{`"base": "aws"`, `"base": "aws", "currency": "EUR"`, "currency USD"},
		{`"base": "aws"`, `"code": "APN1", "currency": "yen"`, `"yen" is no currency`},
		{`"ap-northeast-1"`, `"tokyo"`, `no region "tokyo"`},
		{`"ap-northeast-1"`, `"us-east-1"`, "prices[0] (APN1-Fargate-Windows-vCPU-Hours:perCPU)"},
		{`"2026-10-01"}}`, `"yesterday"}}`, "is not a day"},
		{`"our own"`, `""`, `"desk" lacks what`},
		{`"minimumSeconds": 1`, `"minimumSeconds": -1`, "minimumSeconds"},
		{`"minimumSeconds": 1`, `"stepSeconds": 0`, "stepSeconds"},
		{`"minimumSeconds": 1`, `"decimals": 99`, "decimals"},
		{`"minimumSeconds": 1`, `"currency": "JPY"`, "needs a rate"},
		{`"minimumSeconds": 1`, `"currency": "JPY", "rate": -1`, "needs a rate"},
		{`"minimumSeconds": 1`, `"weeks": 1`, `unknown field "weeks"`},
		{`12.5`, `101`, "percent"},
		{`12.5`, `1e1`, "not a decimal number"},
		{`"team"`, `" "`, "name"},
		{`"Fargate-GB-Hours"`, `"APN1-Fargate-GB-Hours"`, "without its region code"},
		{`"Fargate-GB-Hours"`, `"TimedStorage-ByteHrs"`, "is one of"},
		{`"price": 0.06`, `"price": -0.06`, "less than nothing"},
		{`"price": 0.06`, `"price": "6 cents"`, "not a decimal number"},
		{`"price": 0.06`, `"price": null`, "there is none"},
		{`"unit": "hours", "price": 0.06`, `"unit": "GB", "price": 0.06`, `"GB" is not "hours"`},
		{`0.06, "from": "2026-10-01"`, `0.06`, "from"},
		{`0.06, "from": "2026-10-01", "source": "desk"`, `0.06, "from": "2026-10-01", "source": "rumour"`, `"rumour" is not among`},
		{`-Windows-vCPU-`, `-vCPU-`, "a second price from 2026-10-01"},
		{`"AmazonECS", "usageType": "APN1-Fargate-Windows`, `"AmazonEKS", "usageType": "APN1-Fargate-Windows`, "AmazonEKS"},
	} {
		bad := strings.Replace(own, c.old, c.new, 1)
		if bad == own {
			t.Fatalf("%q is not in the list", c.old)
		}
		if l, err := ReadList([]byte(bad)); err == nil || l != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s → %s: got %v, want an error with %q", c.old, c.new, err, c.want)
		}
	}
	if _, err := ReadList(make([]byte, maxList+1)); err == nil {
		t.Error("a list without bounds was read")
	}
}

func TestDecimals(t *testing.T) {
	for _, s := range []string{"", ".", "1.", ".5", "-", "--1", "1e3", "1/3", "0x10", "1_000", "+1", " 1", "1,5", "NaN", "Inf", strings.Repeat("9", 31)} {
		if d, err := ParseDecimal(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
	for _, c := range []struct {
		in     string
		places int
		out    string
	}{
		{"0.005", 2, "0.01"}, {"-0.005", 2, "-0.01"}, {"0.0049999", 2, "0.00"}, {"-0.001", 2, "0.00"},
		{"1.995", 2, "2.00"}, {"0.5", 0, "1"}, {"1.5", 0, "2"}, {"2.5", 0, "3"}, {"100", 2, "100.00"},
	} {
		d, err := ParseDecimal(c.in)
		if err != nil || d.Text(c.places) != c.out {
			t.Errorf("%s to %d places: %s %v, want %s", c.in, c.places, d.Text(c.places), err, c.out)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		d := Int(rnd.Int64() - 1<<62).Mul(Ratio(1, 1e15))
		b, err := json.Marshal(d)
		var e Decimal
		if err != nil || json.Unmarshal(b, &e) != nil || d.Cmp(e) != 0 {
			t.Fatalf("%s came back as %s (%s, %v)", d, e, b, err)
		}
		if !d.Sub(e).Add(e).Sub(d).Mul(Int(3)).isZero() {
			t.Fatal(d)
		}
	}
	var zero Decimal
	if zero.String() != "0" || zero.Add(Int(100)).String() != "100" || zero.Cmp(Int(0)) != 0 {
		t.Error("the zero value is not 0")
	}
}

func (d Decimal) isZero() bool { return d.Sign() == 0 }
