package estimate

import (
	"strings"
	"testing"
)

const definitionJSON = `{"cpu": "1024", "memory": "2048", "containerDefinitions": [{"name": "web"}]}`

func TestRequest(t *testing.T) {
	month := Schedule{Seconds: 600, Days: 30}
	own := []byte(`{"region": "eu-west-1", "code": "EU", "currency": "EUR", "sources": {"desk": {"what": "desk", "date": "2026-01-01"}}, "prices": [
		{"service": "AmazonECS", "usageType": "EU-Fargate-vCPU-Hours:perCPU", "unit": "hours", "price": 1, "from": "2026-01-01", "source": "desk"},
		{"service": "AmazonECS", "usageType": "EU-Fargate-GB-Hours", "unit": "hours", "price": 0, "from": "2026-01-01", "source": "desk"}]}`)
	for _, c := range []struct {
		name string
		r    Request
		want string // currency, and the total or else the hour
	}{
		{"example 1", Request{CPU: "1", Memory: "2", StorageGiB: 30, Tasks: 5, Schedule: month}, "USD 1.26"},
		{"example 2", Request{CPU: "1", Memory: "2", StorageGiB: 30, Tasks: 5, Architecture: "arm", Schedule: month, Page: true}, "USD 1.02"},
		{"example 3", Request{CPU: ".25", Memory: "1", Tasks: 10, Schedule: Schedule{Seconds: 3600, Days: 30}}, "USD 4.37"},
		{"example 4", Request{CPU: "1", Memory: "2", Tasks: 10, OS: "windows", Schedule: Schedule{Seconds: 3600, Days: 30}, Page: true}, "USD 47.25"},
		{"tokyo", Request{CPU: "2", Memory: "4", Region: "ap-northeast-1"}, "USD 0.12324"},
		{"document", Request{Definition: []byte(definitionJSON), Tasks: 2}, "USD 0.09874"},
		{"template", Request{Template: []byte(`Resources: {A: {Type: AWS::EC2::EIP}}`)}, "USD 0.005"},
		{"own list", Request{Definition: []byte(definitionJSON), Prices: own}, "EUR 1"},
		{"discount", Request{Definition: []byte(definitionJSON), Prices: own, Knobs: Knobs{Discount: "12.5"}}, "EUR 0.875"},
		{"currency", Request{Definition: []byte(definitionJSON), Knobs: Knobs{Currency: "JPY", Rate: "150", Decimals: new(int64(0))}}, "JPY 7.4055"},
		{"minimum", Request{Definition: []byte(definitionJSON), Prices: own, Schedule: Schedule{Seconds: 1, Days: 1}, Knobs: Knobs{Minimum: new(int64(1800))}}, "EUR 0.50"},
		{"step", Request{Definition: []byte(definitionJSON), Prices: own, Schedule: Schedule{Seconds: 61, Days: 1}, Knobs: Knobs{Step: new(int64(360))}}, "EUR 0.10"},
	} {
		e, err := c.r.Estimate(october)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := e.Currency + " " + e.Cost.Hour.String()
		if e.Cost.Total != nil {
			got = e.Currency + " " + e.Cost.Total.Text(2)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		r    Request
		want string
	}{
		{Request{}, "one of a size"},
		{Request{CPU: "1"}, "memory"},
		{Request{CPU: "1", Memory: "2", Template: []byte("")}, "one of a size"},
		{Request{CPU: "one", Memory: "2"}, `"one" is no number of vCPUs`},
		{Request{CPU: "256", Memory: "512"}, "no task on Fargate has 256 vCPU"},
		{Request{CPU: "1", Memory: "2", OS: "beos"}, "operating system"},
		{Request{CPU: "1", Memory: "2", Region: "mars-1"}, `no prices are known for region "mars-1"`},
		{Request{CPU: "1", Memory: "2", Region: "eu-west-1", Page: true}, "those of us-east-1"},
		{Request{CPU: "1", Memory: "2", Region: "us-east-1", Prices: own}, "those of eu-west-1"},
		{Request{CPU: "1", Memory: "2", Page: true, Prices: own}, "either"},
		{Request{CPU: "1", Memory: "2", Prices: []byte("{}")}, "price list: region"},
		{Request{CPU: "1", Memory: "2", Tasks: -1}, "less than none"},
		{Request{CPU: "1", Memory: "2", Parameters: map[string]string{"A": "b"}}, "for a template"},
		{Request{Definition: []byte(definitionJSON), StorageGiB: 30}, "those of the document"},
		{Request{Template: []byte("Resources: {A: {Type: B}}"), Spot: true}, "which are Spot"},
		{Request{CPU: "1", Memory: "2", Knobs: Knobs{Discount: "all"}}, "discount"},
		{Request{CPU: "1", Memory: "2", Knobs: Knobs{Discount: "101"}}, "percent"},
		{Request{CPU: "1", Memory: "2", Knobs: Knobs{Currency: "JPY"}}, "rate"},
		{Request{CPU: "1", Memory: "2", Knobs: Knobs{Step: new(int64(0))}}, "stepSeconds"},
	} {
		if e, err := c.r.Estimate(october); err == nil || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error with %q", c.r, err, c.want)
		}
	}
}
