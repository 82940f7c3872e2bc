package billing

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
)

// files are the price lists of AWS, one a region, and what its pricing page
// prints for a second, in page.
//
//go:embed prices
var files embed.FS

// AWS is AWS's price list of a region.
func AWS(region string) (*List, error) {
	b, err := files.ReadFile("prices/" + path.Base(region) + ".json")
	if err != nil || path.Base(region) != region {
		return nil, fmt.Errorf("no prices are known for region %q; known are %s", region, strings.Join(Regions(), ", "))
	}
	return ReadList(b)
}

// Page is what AWS's pricing page prints for a second in us-east-1, rounded as it
// is there: the prices with which the page's worked examples come out.
func Page() (*List, error) {
	b, err := files.ReadFile("prices/page/us-east-1.json")
	if err != nil {
		return nil, err
	}
	return ReadList(b)
}

// Regions lists the regions whose prices are known, in alphabetical order.
func Regions() []string {
	entries, err := files.ReadDir("prices")
	if err != nil {
		return nil
	}
	var regions []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			regions = append(regions, name)
		}
	}
	return regions
}

// Code is what the usage types of a region begin with, where its prices are known.
func Code(region string) (code string, ok bool) {
	code, ok = codes()[region]
	return code, ok
}

var codes = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, region := range Regions() {
		var head struct{ Code string }
		b, err := files.ReadFile("prices/" + region + ".json")
		if err == nil && json.Unmarshal(b, &head) == nil {
			out[region] = head.Code
		}
	}
	return out
})
