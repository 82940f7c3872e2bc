package focus

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
)

// rule is what the specification, version 1.2, wants of a column: whether it must
// be there for a provider that measures usage, has prices, regions, accounts and
// tags, whether it may be null, and the form of its values.
type rule struct {
	name      string
	must, not bool // be present; be null
	form      func(string) error
}

func number(s string) error {
	if !regexp.MustCompile(`^-?\d+(\.\d+)?(E-?\d+)?$`).MatchString(s) {
		return fmt.Errorf("%q is no number", s)
	}
	return nil
}

func price(s string) error {
	if err := number(s); err != nil || strings.HasPrefix(s, "-") {
		return fmt.Errorf("%q is no price", s)
	}
	return nil
}

func moment(s string) error {
	if !strings.HasSuffix(s, "Z") {
		return fmt.Errorf("%q is not UTC", s)
	}
	_, err := time.Parse("2006-01-02T15:04:05Z", s)
	return err
}

func some(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("blank")
	}
	return nil
}

func one(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("%q is none of %v", s, values)
		}
		return nil
	}
}

func matches(form string) func(string) error {
	return func(s string) error {
		if !regexp.MustCompile(form).MatchString(s) {
			return fmt.Errorf("%q does not match %s", s, form)
		}
		return nil
	}
}

// keyValues is an object whose values are neither objects nor arrays.
func keyValues(s string) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return err
	}
	for k, v := range m {
		if v[0] == '{' || v[0] == '[' {
			return fmt.Errorf("%s is not a plain value", k)
		}
	}
	return nil
}

// unit is a noun with a capital, or with a time after a dash or a slash.
var unit = matches(`^(vCPU|GB|[A-Z][a-z]+s)(-(Hours|Days|Months|Seconds)|/(Hour|Day|Month))?$`)

var rules = []rule{
	{"AvailabilityZone", false, false, some},
	{"BilledCost", true, true, number},
	{"BillingAccountId", true, true, some},
	{"BillingAccountName", true, false, some},
	{"BillingAccountType", false, true, some},
	{"BillingCurrency", true, true, matches(`^[A-Z]{3}$`)},
	{"BillingPeriodEnd", true, true, moment},
	{"BillingPeriodStart", true, true, moment},
	{"ChargeCategory", true, true, one("Usage", "Purchase", "Tax", "Credit", "Adjustment")},
	{"ChargeClass", true, false, one("Correction")},
	{"ChargeDescription", true, false, some},
	{"ChargeFrequency", false, true, one("One-Time", "Recurring", "Usage-Based")},
	{"ChargePeriodEnd", true, true, moment},
	{"ChargePeriodStart", true, true, moment},
	{"ConsumedQuantity", true, false, number},
	{"ConsumedUnit", true, false, unit},
	{"ContractedCost", true, true, number},
	{"ContractedUnitPrice", true, false, price},
	{"EffectiveCost", true, true, number},
	{"InvoiceId", false, false, some},
	{"InvoiceIssuerName", true, true, some},
	{"ListCost", true, true, number},
	{"ListUnitPrice", true, false, price},
	{"PricingCategory", true, false, one("Standard", "Dynamic", "Committed", "Other")},
	{"PricingQuantity", true, false, number},
	{"PricingUnit", true, false, unit},
	{"ProviderName", true, true, some},
	{"PublisherName", true, true, some},
	{"RegionId", true, false, some},
	{"RegionName", true, false, some},
	{"ResourceId", true, false, some},
	{"ResourceName", true, false, some},
	{"ResourceType", true, false, some},
	{"ServiceCategory", true, true, one("AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
		"Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile", "Networking",
		"Security", "Storage", "Web", "Other")},
	{"ServiceName", true, true, some},
	{"ServiceSubcategory", false, true, one("Containers", "Serverless Compute", "Network Infrastructure", "Observability")},
	{"SkuId", true, false, some},
	{"SkuMeter", true, false, some},
	{"SkuPriceDetails", true, false, keyValues},
	{"SkuPriceId", true, false, some},
	{"SubAccountId", true, false, some},
	{"SubAccountName", true, false, some},
	{"SubAccountType", false, false, some},
	{"Tags", true, false, keyValues},
}

// parents are the categories of subcategories.
var parents = map[string]string{"Containers": "Compute", "Serverless Compute": "Compute", "Network Infrastructure": "Networking", "Observability": "Management and Governance"}

// check validates a file of charges, none of which is a tax, a correction, or
// covered by a commitment.
func check(text string) error {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Errorf("no CSV: %w", err)
	}
	head := rows[0]
	for i, name := range head {
		known := slices.ContainsFunc(rules, func(r rule) bool { return r.name == name })
		if !known && !strings.HasPrefix(name, "x_") || slices.Contains(head[:i], name) {
			return fmt.Errorf("column %q is not the specification's, or is there twice", name)
		}
	}
	for n, row := range rows[1:] {
		get := func(name string) string {
			if i := slices.Index(head, name); i >= 0 {
				return row[i]
			}
			return ""
		}
		for _, r := range rules {
			v, has := get(r.name), slices.Contains(head, r.name)
			switch {
			case r.must && !has:
				return fmt.Errorf("column %s is missing", r.name)
			case has && v == "" && r.not:
				return fmt.Errorf("row %d: %s is null", n, r.name)
			case v == "":
				continue
			}
			if err := r.form(v); err != nil {
				return fmt.Errorf("row %d: %s: %w", n, r.name, err)
			}
		}
		if err := together(get); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
	}
	return nil
}

// together are the rules about several columns of a row.
func together(get func(string) string) error {
	if get("ChargeCategory") == "Usage" {
		for _, name := range []string{"ConsumedQuantity", "PricingQuantity", "ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "SkuId", "SkuPriceId"} {
			if get(name) == "" {
				return fmt.Errorf("%s of usage is null", name)
			}
		}
	}
	for _, pair := range [][2]string{
		{"PricingQuantity", "PricingUnit"}, {"ConsumedQuantity", "ConsumedUnit"}, {"RegionId", "RegionName"},
		{"ResourceId", "ResourceType"}, {"SubAccountId", "SubAccountName"}, {"SkuId", "SkuMeter"},
	} {
		if (get(pair[0]) == "") != (get(pair[1]) == "") {
			return fmt.Errorf("%s and %s are not both null or both there", pair[0], pair[1])
		}
	}
	for _, p := range [][2]string{{"ListUnitPrice", "ListCost"}, {"ContractedUnitPrice", "ContractedCost"}} {
		product := new(big.Rat).Mul(rat(get("PricingQuantity")), rat(get(p[0])))
		if off := product.Sub(product, rat(get(p[1]))); off.Abs(off).Cmp(big.NewRat(1, 1e15)) > 0 {
			return fmt.Errorf("%s times PricingQuantity is not %s, by %s", p[0], p[1], off.FloatString(20))
		}
	}
	if get("EffectiveCost") != get("BilledCost") {
		return errors.New("EffectiveCost and BilledCost differ without a commitment")
	}
	from, to := get("ChargePeriodStart"), get("ChargePeriodEnd")
	if from >= to || from < get("BillingPeriodStart") || from >= get("BillingPeriodEnd") || !strings.HasSuffix(get("BillingPeriodStart"), "-01T00:00:00Z") {
		return fmt.Errorf("the charge period from %s to %s is not in its billing period", from, to)
	}
	if sub := get("ServiceSubcategory"); sub != "" && parents[sub] != get("ServiceCategory") {
		return fmt.Errorf("%s is no subcategory of %s", sub, get("ServiceCategory"))
	}
	if get("ResourceName") != "" && get("ResourceName") == get("ResourceId") {
		return errors.New("ResourceName repeats ResourceId")
	}
	var details map[string]json.RawMessage
	if s := get("SkuPriceDetails"); s != "" {
		if err := json.Unmarshal([]byte(s), &details); err != nil {
			return err
		}
	}
	for key := range details {
		if !strings.HasPrefix(key, "x_") && !slices.Contains([]string{"CoreCount", "DiskSpace", "MemorySize", "OperatingSystem", "InstanceType"}, key) {
			return fmt.Errorf("SkuPriceDetails has %s", key)
		}
	}
	return nil
}

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return r
}
