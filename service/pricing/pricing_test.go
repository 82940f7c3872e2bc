package pricing

import (
	"context"
	"encoding/json"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/pricing"
	"neargate/resource/billing"
	"neargate/service"
)

func newService(t *testing.T) (*Service, context.Context) {
	t.Helper()
	s := New(service.Deps{
		Now: func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }, IDs: arn.NewSource(rand.New(rand.NewSource(1))),
	})
	return s, auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "us-east-1"})
}

func filters(fs ...string) (out []api.Filter) {
	for _, f := range fs {
		parts := strings.SplitN(f, " ", 3)
		out = append(out, api.Filter{Field: &parts[0], Type: &parts[1], Value: &parts[2]})
	}
	return out
}

// TestDocument wants the very document AWS's list has for ARM memory in us-east-1,
// but for its dates and the order of members.
func TestDocument(t *testing.T) {
	s, ctx := newService(t)
	out, err := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonECS"), Filters: filters("usagetype TERM_MATCH USE1-Fargate-ARM-GB-Hours")})
	if err != nil || len(out.PriceList) != 1 || *out.FormatVersion != "aws_v1" {
		t.Fatal(out, err)
	}
	const want = `{"product":{"productFamily":"Compute","attributes":{"cpuArchitecture":"ARM","location":"US East (N. Virginia)",` +
		`"locationType":"AWS Region","memorytype":"perGB","operation":"","regionCode":"us-east-1","resource":"per GB per hour","servicecode":"AmazonECS",` +
		`"servicename":"Amazon Elastic Container Service","tenancy":"Shared","usagetype":"USE1-Fargate-ARM-GB-Hours"},"sku":"UNH9KPQP7W7C66C9"},` +
		`"serviceCode":"AmazonECS","terms":{"OnDemand":{"UNH9KPQP7W7C66C9.JRTCKXETXF":{"priceDimensions":{"UNH9KPQP7W7C66C9.JRTCKXETXF.6YS6EN2CT7":` +
		`{"unit":"hours","endRange":"Inf","description":"AWS Fargate - ARM - Memory - US East (N. Virginia)","appliesTo":[],` +
		`"rateCode":"UNH9KPQP7W7C66C9.JRTCKXETXF.6YS6EN2CT7","beginRange":"0","pricePerUnit":{"USD":"0.0035600000"}}},"sku":"UNH9KPQP7W7C66C9",` +
		`"effectiveDate":"2022-11-30T00:00:00Z","offerTermCode":"JRTCKXETXF","termAttributes":{}}}},"version":"20260928000000","publicationDate":"2026-09-28T00:00:00Z"}`
	if out.PriceList[0] != want {
		t.Errorf("got  %s\nwant %s", out.PriceList[0], want)
	}
}

// TestEveryProduct reads all products of all services, page by page, and wants
// each price of each region's list once, but Spot's.
func TestEveryProduct(t *testing.T) {
	s, ctx := newService(t)
	services, err := s.DescribeServices(ctx, &api.DescribeServicesInput{})
	if err != nil || len(services.Services) != 6 {
		t.Fatal(services, err)
	}
	seen := map[string]string{}
	for _, v := range services.Services {
		in := &api.GetProductsInput{ServiceCode: v.ServiceCode, MaxResults: new(int32(7))}
		for {
			out, err := s.GetProducts(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range out.PriceList {
				var d document
				if err := json.Unmarshal([]byte(text), &d); err != nil {
					t.Fatal(err)
				}
				if len(d.Product.SKU) != 16 || d.Product.Attributes["location"] == "" || d.Product.Attributes["servicename"] == "" {
					t.Errorf("%s", text)
				}
				for _, offer := range d.Terms["OnDemand"] {
					for _, p := range offer.Dimensions {
						seen[d.Product.SKU] = d.Product.Attributes["regionCode"] + " " + d.Product.Attributes["usagetype"] + " " + p.PerUnit["USD"]
					}
				}
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
	}
	n := 0
	for _, region := range billing.Regions() {
		l, err := billing.AWS(region)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range billing.Dimensions() {
			p, err := l.PriceAt(d, s.deps.Now())
			if err != nil || d.Spot() {
				continue
			}
			n++
			if got, want := seen[d.SKU(region)], region+" "+d.UsageType(region, l.Code)+" "+p.Amount.Text(10); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if n != len(seen) || n < 100 {
		t.Errorf("%d products, %d prices", len(seen), n)
	}
}

func TestFilters(t *testing.T) {
	s, ctx := newService(t)
	for _, c := range []struct {
		filters []api.Filter
		want    int
	}{
		{filters("location TERM_MATCH Asia Pacific (Tokyo)", "usagetype EQUALS APN1-Fargate-vCPU-Hours:perCPU"), 1},
		{filters("regionCode TERM_MATCH us-east-1", "cpuArchitecture TERM_MATCH ARM"), 2},
		{filters("regionCode TERM_MATCH us-east-1", "usagetype CONTAINS Windows", "termType TERM_MATCH OnDemand"), 3},
		{filters("regionCode ANY_OF us-east-1,eu-west-1", "memorytype TERM_MATCH perGB", "operatingSystem NONE_OF Windows", "cpuArchitecture NONE_OF ARM"), 2},
		{filters("sku TERM_MATCH 8CESGAFWKAJ98PME", "ServiceCode TERM_MATCH AmazonECS"), 1},
		{filters("regionCode TERM_MATCH mars-1"), 0},
		{filters("usagetype CONTAINS SpotUsage"), 0},
	} {
		out, err := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonECS"), Filters: c.filters})
		if err != nil || len(out.PriceList) != c.want {
			t.Errorf("%s: %d products (%v), want %d", *c.filters[0].Value, len(out.PriceList), err, c.want)
		}
	}
	values, err := s.GetAttributeValues(ctx, &api.GetAttributeValuesInput{ServiceCode: new("AmazonECS"), AttributeName: new("cputype")})
	if err != nil || len(values.AttributeValues) != 2 || *values.AttributeValues[1].Value != "perCPU OS License Fee" {
		t.Error(values, err)
	}
}

func TestRefused(t *testing.T) {
	s, ctx := newService(t)
	_, err1 := s.DescribeServices(ctx, &api.DescribeServicesInput{ServiceCode: new("Moon")})
	_, err2 := s.DescribeServices(ctx, &api.DescribeServicesInput{FormatVersion: new("aws_v2")})
	_, err3 := s.GetAttributeValues(ctx, &api.GetAttributeValuesInput{ServiceCode: new("AmazonECS"), AttributeName: new("moon")})
	_, err4 := s.GetAttributeValues(ctx, &api.GetAttributeValuesInput{ServiceCode: new("Moon"), AttributeName: new("location")})
	_, err5 := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("Moon")})
	_, err6 := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonECS"), Filters: filters("moon TERM_MATCH x")})
	_, err7 := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonECS"), NextToken: new("forged")})
	one, err := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonECS"), MaxResults: new(int32(1))})
	if err != nil {
		t.Fatal(err)
	}
	_, err8 := s.GetProducts(ctx, &api.GetProductsInput{ServiceCode: new("AmazonVPC"), MaxResults: new(int32(1)), NextToken: one.NextToken})
	for i, c := range []struct {
		err  error
		code string
	}{
		{err1, "NotFound"}, {err2, "InvalidParameter"}, {err3, "NotFound"}, {err4, "NotFound"}, {err5, "NotFound"},
		{err6, "InvalidParameter"}, {err7, "InvalidNextToken"}, {err8, "InvalidNextToken"},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), c.code+"Exception: ") {
			t.Errorf("%d: %v, want %sException", i+1, c.err, c.code)
		}
	}
}
