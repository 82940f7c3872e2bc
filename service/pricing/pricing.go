// Package pricing answers the AWS Price List: what Fargate and its neighbours cost
// on demand, in the documents that AWS's own list consists of.
package pricing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/pricing"
	"neargate/service"
	"neargate/service/internal/page"
)

// Service is the Price List API.
type Service struct {
	deps  service.Deps
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Price List API.
func New(d service.Deps) *Service { return &Service{deps: d, pages: page.NewSealer(d.TokenKey)} }

// format is the one format of documents there is.
const format = "aws_v1"

// pageSize is how much an answer has unless the request says, and at most.
const pageSize = 100

func checkFormat(version *string) error {
	if version != nil && *version != format {
		return api.InvalidParameterException("Invalid FormatVersion: " + *version)
	}
	return nil
}

// DescribeServices lists the services with prices, and what is said of these.
func (s *Service) DescribeServices(ctx context.Context, in *api.DescribeServicesInput) (*api.DescribeServicesOutput, error) {
	if err := checkFormat(in.FormatVersion); err != nil {
		return nil, err
	}
	codes := slices.Sorted(maps.Keys(servicenames))
	if in.ServiceCode != nil {
		if servicenames[*in.ServiceCode] == "" {
			return nil, noService(*in.ServiceCode)
		}
		codes = []string{*in.ServiceCode}
	}
	request := *in
	request.NextToken = nil
	codes, next, err := cut(s, ctx, "DescribeServices", request, codes, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeServicesOutput{FormatVersion: new(format), NextToken: next, Services: []api.Service{}}
	for _, code := range codes {
		names, err := s.attributes(code)
		if err != nil {
			return nil, err
		}
		out.Services = append(out.Services, api.Service{ServiceCode: &code, AttributeNames: slices.Sorted(maps.Keys(names))})
	}
	return out, nil
}

func noService(code string) error {
	return api.NotFoundException("Service " + code + " was not found in the price list")
}

// attributes are the attributes of a service's products, with their values.
func (s *Service) attributes(code string) (map[string]map[string]bool, error) {
	all, err := products(code, s.deps.Now())
	out := map[string]map[string]bool{"termType": {"OnDemand": true}}
	for _, p := range all {
		for name, value := range p.attributes {
			if out[name] == nil {
				out[name] = map[string]bool{}
			}
			out[name][value] = true
		}
	}
	return out, err
}

// GetAttributeValues lists the values of an attribute.
func (s *Service) GetAttributeValues(ctx context.Context, in *api.GetAttributeValuesInput) (*api.GetAttributeValuesOutput, error) {
	if servicenames[*in.ServiceCode] == "" {
		return nil, noService(*in.ServiceCode)
	}
	names, err := s.attributes(*in.ServiceCode)
	if err != nil {
		return nil, err
	}
	values, ok := names[*in.AttributeName]
	if !ok {
		return nil, api.NotFoundException("Attribute " + *in.AttributeName + " was not found for service " + *in.ServiceCode)
	}
	request := *in
	request.NextToken = nil
	found, next, err := cut(s, ctx, "GetAttributeValues", request, slices.Sorted(maps.Keys(values)), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.GetAttributeValuesOutput{AttributeValues: []api.AttributeValue{}, NextToken: next}
	for _, v := range found {
		out.AttributeValues = append(out.AttributeValues, api.AttributeValue{Value: &v})
	}
	return out, nil
}

// GetProducts lists the products that pass every filter.
func (s *Service) GetProducts(ctx context.Context, in *api.GetProductsInput) (*api.GetProductsOutput, error) {
	if err := checkFormat(in.FormatVersion); err != nil {
		return nil, err
	}
	if servicenames[*in.ServiceCode] == "" {
		return nil, noService(*in.ServiceCode)
	}
	all, err := products(*in.ServiceCode, s.deps.Now())
	if err != nil {
		return nil, err
	}
	names, err := s.attributes(*in.ServiceCode)
	if err != nil {
		return nil, err
	}
	for _, f := range in.Filters {
		if names[field(f)] == nil && field(f) != "sku" {
			return nil, api.InvalidParameterException("Input parameters are invalid: " + *f.Field + " is no attribute of " + *in.ServiceCode)
		}
	}
	all = slices.DeleteFunc(all, func(p product) bool {
		return slices.ContainsFunc(in.Filters, func(f api.Filter) bool { return !passes(&p, f) })
	})
	request := *in
	request.NextToken = nil
	found, next, err := cut(s, ctx, "GetProducts", request, all, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.GetProductsOutput{FormatVersion: new(format), NextToken: next, PriceList: []string{}}
	for i := range found {
		text, err := found[i].document()
		if err != nil {
			return nil, err
		}
		out.PriceList = append(out.PriceList, text)
	}
	return out, nil
}

// field is the attribute that a filter is for; two are also known in other letters.
func field(f api.Filter) string {
	switch *f.Field {
	case "ServiceCode":
		return "servicecode"
	case "ProductFamily":
		return "productFamily"
	}
	return *f.Field
}

func passes(p *product, f api.Filter) bool {
	value, ok := p.attributes[field(f)]
	switch field(f) {
	case "termType":
		value, ok = "OnDemand", true
	case "sku":
		value, ok = p.sku, true
	}
	in := slices.Contains(strings.Split(*f.Value, ","), value)
	switch *f.Type {
	case "CONTAINS":
		return ok && strings.Contains(value, *f.Value)
	case "ANY_OF":
		return ok && in
	case "NONE_OF":
		return !ok || !in
	}
	return ok && value == *f.Value
}

// cut takes a page out of a list.
func cut[T any](s *Service, ctx context.Context, operation string, request any, all []T, limit *int32, token *string) (found []T, next *string, err error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, nil, err
	}
	h := sha256.Sum256(text)
	scope := []string{auth.CallerFrom(ctx).Account, operation, string(h[:])}
	start := 0
	if token != nil {
		position, err := s.pages.Open(*token, scope...)
		if err == nil {
			start, err = strconv.Atoi(position)
		}
		if err != nil {
			return nil, nil, api.InvalidNextTokenException("The pagination token is invalid. Try again without a pagination token.")
		}
	}
	n := pageSize
	if limit != nil {
		n = int(*limit)
	}
	start = min(start, len(all))
	end := min(start+n, len(all))
	if end < len(all) {
		next = new(s.pages.Seal(strconv.Itoa(end), scope...))
	}
	return all[start:end], next, nil
}
