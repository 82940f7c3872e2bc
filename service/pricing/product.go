package pricing

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"neargate/resource/billing"
)

// product is an entry of the price list, and its document.
type product struct {
	attributes map[string]string // with servicecode and productFamily
	sku        string
	service    string
	price      billing.Price
	published  time.Time
}

// servicenames are what the price list calls services.
var servicenames = map[string]string{
	"AmazonECS": "Amazon Elastic Container Service", "AmazonVPC": "Amazon Virtual Private Cloud",
	"AmazonEC2": "Amazon Elastic Compute Cloud", "AWSELB": "Elastic Load Balancing",
	"AmazonECR": "Amazon EC2 Container Registry (ECR)", "AmazonCloudWatch": "AmazonCloudWatch",
}

// kind is what the price list says of a dimension besides where it is.
type kind struct {
	family, what string // product family, and what of Fargate
	attributes   [][2]string
}

var (
	shared  = [2]string{"tenancy", "Shared"}
	perCPU  = [2]string{"cputype", "perCPU"}
	perGB   = [2]string{"memorytype", "perGB"}
	arm     = [2]string{"cpuArchitecture", "ARM"}
	windows = [2]string{"operatingSystem", "Windows"}
)

func resource(what string) [2]string { return [2]string{"resource", what} }

// kinds are the products there are. Prices of Spot are in no price list of AWS.
var kinds = map[billing.Dimension]kind{
	billing.VCPU:      {"Compute", "vCPU", [][2]string{shared, perCPU}},
	billing.Memory:    {"Compute", "Memory", [][2]string{shared, perGB}},
	billing.ARMVCPU:   {"Compute", "ARM - vCPU", [][2]string{shared, perCPU, arm, resource("per vCPU per hour")}},
	billing.ARMMemory: {"Compute", "ARM - Memory", [][2]string{shared, perGB, arm, resource("per GB per hour")}},
	billing.WinVCPU:   {"Compute", "Windows - vCPU", [][2]string{shared, perCPU, windows, resource("per vCPU per hour")}},
	billing.WinMemory: {"Compute", "Windows - Memory", [][2]string{shared, perGB, windows, resource("per GB per hour")}},
	billing.WinLicence: {"Compute", "Windows - OS", [][2]string{
		shared, windows, {"cputype", "perCPU OS License Fee"}, resource("OS License Fee per vCPU per hour")}},
	billing.Storage:       {"Compute", "Ephemeral Storage", [][2]string{{"storagetype", "default"}}},
	billing.External:      {"Compute", "", [][2]string{{"externalInstanceType", "Default"}, {"operation", "AddExternalInstance"}}},
	billing.PublicIPv4:    {},
	billing.IdleIPv4:      {},
	billing.Endpoint:      {family: "VpcEndpoint"},
	billing.EndpointBytes: {family: "VpcEndpoint"},
	billing.NAT:           {"NAT Gateway", "", [][2]string{{"group", "NGW:NatGateway"}, {"operation", "NatGateway"}}},
	billing.NATBytes:      {"NAT Gateway", "", [][2]string{{"group", "NGW:NatGateway"}, {"operation", "NatGateway"}}},
	billing.LoadBalancer:  {"Load Balancer-Application", "", [][2]string{{"operation", "LoadBalancing:Application"}}},
	billing.LCU:           {"Load Balancer-Application", "", [][2]string{{"operation", "LoadBalancing:Application"}}},
	billing.ImageStorage:  {family: "EC2 Container Registry"},
	billing.LogIngestion:  {family: "Data Payload"},
	billing.LogStorage:    {family: "Storage Snapshot"},
}

// products lists what has a price at a time, in all regions: all of one service.
func products(service string, at time.Time) ([]product, error) {
	var out []product
	for _, region := range billing.Regions() {
		l, err := billing.AWS(region)
		if err != nil {
			return nil, err
		}
		var published time.Time
		for _, s := range l.Sources {
			if s.Date.After(published) {
				published = s.Date.Time
			}
		}
		for d, k := range kinds {
			p, err := l.PriceAt(d, at)
			if err != nil || d.Service() != service {
				continue
			}
			out = append(out, product{k.describe(l, d), d.SKU(region), service, p, published})
		}
	}
	slices.SortFunc(out, func(a, b product) int { return cmp.Compare(a.sku, b.sku) })
	return out, nil
}

// describe is a product's attributes.
func (k kind) describe(l *billing.List, d billing.Dimension) map[string]string {
	out := map[string]string{
		"servicecode": d.Service(), "servicename": servicenames[d.Service()], "usagetype": d.UsageType(l.Region, l.Code),
		"location": billing.Location(l.Region), "locationType": "AWS Region", "regionCode": l.Region, "operation": "",
	}
	if k.family != "" {
		out["productFamily"] = k.family
	}
	for _, a := range k.attributes {
		out[a[0]] = a[1]
	}
	return out
}

// The document of a product, as the price list has it.
type (
	document struct {
		Product struct {
			Family     string            `json:"productFamily,omitempty"`
			Attributes map[string]string `json:"attributes"`
			SKU        string            `json:"sku"`
		} `json:"product"`
		Service   string                     `json:"serviceCode"`
		Terms     map[string]map[string]term `json:"terms"`
		Version   string                     `json:"version"`
		Published string                     `json:"publicationDate"`
	}
	term struct {
		Dimensions map[string]priced `json:"priceDimensions"`
		SKU        string            `json:"sku"`
		Effective  string            `json:"effectiveDate"`
		Code       string            `json:"offerTermCode"`
		Attributes struct{}          `json:"termAttributes"`
	}
	priced struct {
		Unit        string            `json:"unit"`
		End         string            `json:"endRange"`
		Description string            `json:"description"`
		AppliesTo   []string          `json:"appliesTo"`
		RateCode    string            `json:"rateCode"`
		Begin       string            `json:"beginRange"`
		PerUnit     map[string]string `json:"pricePerUnit"`
	}
)

// pricePlaces are the digits after the point of prices.
const pricePlaces = 10

func (p *product) document() (string, error) {
	var d document
	d.Product.SKU, d.Product.Attributes = p.sku, map[string]string{}
	for name, value := range p.attributes {
		if name == "productFamily" {
			d.Product.Family = value
		} else {
			d.Product.Attributes[name] = value
		}
	}
	offer, rate := billing.RateCode(p.sku)
	d.Service = p.service
	d.Terms = map[string]map[string]term{"OnDemand": {offer: term{
		SKU: p.sku, Effective: p.price.From.UTC().Format(time.RFC3339), Code: strings.TrimPrefix(offer, p.sku+"."),
		Dimensions: map[string]priced{rate: {
			Unit: p.price.Unit, End: "Inf", Begin: "0", Description: p.describe(), AppliesTo: []string{}, RateCode: rate,
			PerUnit: map[string]string{"USD": p.price.Amount.Text(pricePlaces)},
		}},
	}}}
	d.Version, d.Published = p.published.Format("20060102150405"), p.published.UTC().Format(time.RFC3339)
	text, err := json.Marshal(d)
	return string(text), err
}

func (p *product) describe() string {
	if what := kinds[p.price.Dimension].what; what != "" {
		return "AWS Fargate - " + what + " - " + p.attributes["location"]
	}
	return "$" + p.price.Amount.String() + " per " + p.price.Unit + " for " + p.attributes["usagetype"] + " in " + p.attributes["location"]
}
