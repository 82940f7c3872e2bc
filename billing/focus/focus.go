// Package focus writes usage as charges in the FinOps Open Cost and Usage
// Specification, version 1.2: a row for each usage record and day.
package focus

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"neargate/arn"
	"neargate/resource/billing"
)

// Version is that of the specification.
const Version = "1.2"

// provider is who provides, publishes and bills.
const provider = "neargate"

// charge is a row: what a task or another thing used of a dimension within a day.
type charge struct {
	record     *billing.Record
	list       *billing.List
	from, to   time.Time
	line, unit billing.Line // of the charge, and of one pricing unit
	name       string       // of the account
}

// column is one of a row's values: a string, a [billing.Decimal], a [time.Time], a
// map, or nil for null.
type column struct {
	name  string
	value func(*charge) any
}

func always(v any) func(*charge) any { return func(*charge) any { return v } }

// text is a string, null without one.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// columns are the specification's, as far as they apply: nothing is reserved or
// committed, and there are no invoices and no zones in usage records.
var columns = []column{
	{"BilledCost", func(c *charge) any { return c.line.Net }},
	{"BillingAccountId", func(c *charge) any { return c.record.Account }},
	{"BillingAccountName", func(c *charge) any { return c.name }},
	{"BillingCurrency", func(c *charge) any { return c.list.Money() }},
	{"BillingPeriodEnd", func(c *charge) any { return month(c.from).AddDate(0, 1, 0) }},
	{"BillingPeriodStart", func(c *charge) any { return month(c.from) }},
	{"ChargeCategory", always("Usage")},
	{"ChargeClass", always(nil)},
	{"ChargeDescription", describe},
	{"ChargeFrequency", always("Usage-Based")},
	{"ChargePeriodEnd", func(c *charge) any { return c.to }},
	{"ChargePeriodStart", func(c *charge) any { return c.from }},
	{"ConsumedQuantity", consumed},
	{"ConsumedUnit", consumedUnit},
	{"ContractedCost", func(c *charge) any { return c.line.Net }},
	{"ContractedUnitPrice", func(c *charge) any { return c.unit.Net }},
	{"EffectiveCost", func(c *charge) any { return c.line.Net }},
	{"InvoiceIssuerName", always(provider)},
	{"ListCost", func(c *charge) any { return c.line.Gross }},
	{"ListUnitPrice", func(c *charge) any { return c.unit.Gross }},
	{"PricingCategory", pricingCategory},
	{"PricingQuantity", func(c *charge) any { return c.line.Quantity }},
	{"PricingUnit", func(c *charge) any { return unitName(c.line.Unit) }},
	{"ProviderName", always(provider)},
	{"PublisherName", always(provider)},
	{"RegionId", func(c *charge) any { return c.record.Region }},
	{"RegionName", regionName},
	{"ResourceId", func(c *charge) any { return resourceOf(c.record).arn }},
	{"ResourceName", always(nil)},
	{"ResourceType", func(c *charge) any { return resourceOf(c.record).kind }},
	{"ServiceCategory", func(c *charge) any { return service(c)[1] }},
	{"ServiceName", func(c *charge) any { return service(c)[0] }},
	{"ServiceSubcategory", func(c *charge) any { return service(c)[2] }},
	{"SkuId", func(c *charge) any { return c.record.Dimension.SKU(c.record.Region) }},
	{"SkuMeter", func(c *charge) any { return c.record.Dimension.Usage() }},
	{"SkuPriceDetails", details},
	{"SkuPriceId", func(c *charge) any {
		_, rate := billing.RateCode(c.record.Dimension.SKU(c.record.Region))
		return rate
	}},
	{"SubAccountId", func(c *charge) any { return c.record.Account }},
	{"SubAccountName", func(c *charge) any { return c.name }},
	{"Tags", tags},
	{"x_Cluster", func(c *charge) any { return text(c.record.Cluster) }},
	{"x_Service", func(c *charge) any { return text(c.record.Service) }},
	{"x_TaskDefinition", func(c *charge) any { return text(c.record.Definition()) }},
	{"x_UsageType", func(c *charge) any { return c.line.UsageType }},
}

func month(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func describe(c *charge) any {
	return fmt.Sprintf("%s: %s %s at %s %s", c.line.UsageType, c.line.Quantity.Text(6), c.line.Unit, c.line.Price, c.list.Currency)
}

// resource is what was used.
type resource struct{ arn, kind string }

func resourceOf(r *billing.Record) resource {
	name, _, _ := strings.Cut(r.Task, "/") // without the part of an endpoint
	switch d := r.Dimension; {
	case r.Family != "":
		return resource{arn.New("ecs", r.Region, r.Account, "task/"+r.Cluster+"/"+r.Task), "Task"}
	case d == billing.NAT:
		return resource{arn.New("ec2", r.Region, r.Account, "natgateway/"+name), "NAT Gateway"}
	case d == billing.Endpoint:
		return resource{arn.New("ec2", r.Region, r.Account, "vpc-endpoint/"+name), "VPC Endpoint"}
	case d == billing.ImageStorage:
		return resource{arn.New("ecr", r.Region, r.Account, r.Task), "Repository"}
	case d.Service() == "AmazonCloudWatch":
		return resource{arn.New("logs", r.Region, r.Account, strings.Replace(r.Task, "/", ":", 1)), "Log Group"}
	}
	return resource{arn.New("ec2", r.Region, r.Account, "elastic-ip/"+name), "Elastic IP Address"}
}

// consumed is in hours of vCPUs, GB or things whatever the price is for, in GB, or in
// GB for months.
func consumed(c *charge) any {
	if c.line.Unit != c.record.Dimension.Unit() {
		return c.line.Quantity.Mul(billing.Ratio(1, 3600))
	}
	return c.line.Quantity
}

func consumedUnit(c *charge) any {
	switch c.record.Dimension.Kind() {
	case billing.KindMemory, billing.KindStorage:
		return "GB-Hours"
	case billing.KindCPU:
		return "vCPU-Hours"
	}
	if c.record.Dimension == billing.WinLicence {
		return "vCPU-Hours"
	}
	return unitName(c.record.Dimension.Unit())
}

// unitName writes a unit of the price list as the specification does.
func unitName(unit string) string {
	switch strings.ToLower(unit) {
	case "hours", "hrs":
		return "Hours"
	case "seconds":
		return "Seconds"
	case "gb-mo":
		return "GB-Months"
	}
	return unit
}

func pricingCategory(c *charge) any {
	if c.record.Dimension.Spot() {
		return "Dynamic"
	}
	return "Standard"
}

func regionName(c *charge) any {
	if name := billing.Location(c.record.Region); name != "" {
		return name
	}
	return c.record.Region
}

// service is the service's name, category and subcategory.
func service(c *charge) [3]string {
	switch c.record.Dimension.Service() {
	case "AmazonVPC":
		return [3]string{"Amazon Virtual Private Cloud", "Networking", "Network Infrastructure"}
	case "AmazonEC2":
		return [3]string{"Amazon Elastic Compute Cloud", "Networking", "Network Infrastructure"}
	case "AmazonECR":
		return [3]string{"Amazon Elastic Container Registry", "Compute", "Containers"}
	case "AmazonCloudWatch":
		return [3]string{"Amazon CloudWatch", "Management and Governance", "Observability"}
	}
	return [3]string{"Amazon Elastic Container Service", "Compute", "Containers"}
}

func details(c *charge) any {
	d := c.record.Dimension
	if d.Service() != "AmazonECS" {
		return nil
	}
	out := map[string]string{"OperatingSystem": "Linux", "x_CpuArchitecture": "x86_64"}
	if strings.Contains(d.Usage(), "Windows") {
		out["OperatingSystem"] = "Windows"
	}
	if strings.Contains(d.Usage(), "ARM") {
		out["x_CpuArchitecture"] = "arm64"
	}
	if d == billing.Storage { // it costs the same on all
		return nil
	}
	return out
}

func tags(c *charge) any {
	if len(c.record.Tags) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, t := range c.record.Tags {
		out[t.Key] = t.Value
	}
	return out
}

// Request says what is written, and how.
type Request struct {
	From, To time.Time // at midnight; To is not in it
	Format   string    // csv, or jsonl for a JSON object a line
	Prices   func(region string) (*billing.List, error)
	Terms    *billing.Terms         // for how long a task is charged
	Account  func(id string) string // its name
}

// Write writes the charges of records that lie in the request's time. What has no
// price is an error: a charge cannot say that its cost is not known.
func (r Request) Write(w io.Writer, records iter.Seq2[billing.Record, error]) error {
	out, err := r.writer(w)
	if err != nil {
		return err
	}
	lists := map[string]*billing.List{}
	for record, err := range records {
		if err != nil {
			return err
		}
		n := record.On(r.Terms)
		l := lists[n.Region]
		if l == nil {
			if l, err = r.Prices(n.Region); err != nil {
				return err
			}
			lists[n.Region] = l
		}
		if err := r.charges(n, l, out.write); err != nil {
			return err
		}
	}
	return out.flush()
}

// charges splits a record by days.
func (r Request) charges(n *billing.Record, l *billing.List, write func(*charge) error) error {
	for from, left := n.Start, n.Seconds; left > 0; {
		from = from.UTC()
		end := time.Date(from.Year(), from.Month(), from.Day()+1, 0, 0, 0, 0, time.UTC)
		seconds := min(left, int64((end.Sub(from)+time.Second-1)/time.Second))
		to := from.Add(time.Duration(seconds) * time.Second)
		if !from.Before(r.From) && from.Before(r.To) {
			c := charge{record: n, list: l, from: from, to: to, name: r.Account(n.Account)}
			if err := c.price(seconds); err != nil {
				return err
			}
			if err := write(&c); err != nil {
				return err
			}
		}
		from, left = to, left-seconds
	}
	return nil
}

// price prices the charge: a day has one price.
func (c *charge) price(seconds int64) (err error) {
	if c.line, err = c.list.Span(c.record.Use(), c.from, seconds); err != nil {
		return err
	}
	if c.unit, err = c.list.Hour(billing.Use{Dimension: c.record.Dimension, Amount: billing.Int(1)}, c.from); err != nil {
		return err
	}
	if c.unit.Unit != c.record.Dimension.Unit() { // of an hour's seconds
		c.unit = c.unit.Times(billing.Ratio(1, 3600))
	}
	return nil
}

// writer writes rows in a format.
type writer struct {
	write func(*charge) error
	flush func() error
}

func (r Request) writer(w io.Writer) (writer, error) {
	switch r.Format {
	case "csv":
		out := csv.NewWriter(w)
		var head []string
		for _, c := range columns {
			head = append(head, c.name)
		}
		cells := make([]string, len(columns))
		return writer{
			write: func(c *charge) (err error) {
				for i, col := range columns {
					if cells[i], err = cell(col.value(c)); err != nil {
						return err
					}
				}
				return out.Write(cells)
			},
			flush: func() error { out.Flush(); return out.Error() },
		}, out.Write(head)
	case "jsonl":
		return writer{
			write: func(c *charge) error { return object(w, c) },
			flush: func() error { return nil },
		}, nil
	}
	return writer{}, fmt.Errorf("format: csv or jsonl, not %q", r.Format)
}

// cell is a value in CSV, where null is nothing.
func cell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case billing.Decimal:
		return v.String(), nil
	case time.Time:
		return stamp(v), nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// object writes a row as JSON: numbers as numbers, in the columns' order.
func object(w io.Writer, c *charge) error {
	b := []byte("{")
	for i, col := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, col.name...)
		b = append(b, `":`...)
		switch v := col.value(c).(type) {
		case billing.Decimal:
			b = append(b, v.String()...)
		case time.Time:
			b = append(b, '"')
			b = append(b, stamp(v)...)
			b = append(b, '"')
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			b = append(b, text...)
		}
	}
	_, err := w.Write(append(b, "}\n"...))
	return err
}
