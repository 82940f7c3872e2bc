package report

import (
	"errors"
	"fmt"

	"neargate/resource/billing"
)

// priced is the prices of a request: AWS's lists with the request's knobs, and
// perhaps a list of the user's own for one region.
type priced struct {
	own   *billing.List
	turn  func(*billing.Terms) error
	terms billing.Terms // that hold for all regions' usage
}

func (r Request) prices() (*priced, error) {
	p := &priced{terms: billing.DefaultTerms(), turn: r.Knobs.Turn}
	if r.Prices != nil {
		own, err := billing.ReadList(r.Prices)
		if err != nil {
			return nil, err
		}
		p.own, p.terms = own, own.Terms
	}
	if err := p.turn(&p.terms); err != nil {
		return nil, err
	}
	if p.terms.FreeStorageGiB != billing.DefaultTerms().FreeStorageGiB {
		return nil, errors.New("freeStorageGiB: usage is recorded without the storage that AWS makes nothing of; it cannot be charged for afterwards")
	}
	if p.own != nil && p.terms.Currency == "" && p.own.Currency != "USD" {
		return nil, fmt.Errorf("currency: the price list is in %s, and those of the other regions in USD: it needs currency and rate", p.own.Currency)
	}
	return p, nil
}

// list is the price list of a region on the request's terms.
func (p *priced) list(region string) (*billing.List, error) {
	if p.own != nil && p.own.Region == region {
		l := *p.own
		l.Terms = p.terms
		return &l, nil
	}
	l, err := billing.AWS(region)
	if err == nil {
		l.Terms = p.terms
	}
	return l, err
}

// recount reports whether times are charged for otherwise than they are recorded.
func (p *priced) recount() bool {
	d := billing.DefaultTerms()
	return p.terms.MinimumSeconds != d.MinimumSeconds || p.terms.WindowsMinimumSeconds != d.WindowsMinimumSeconds ||
		p.terms.StepSeconds != d.StepSeconds
}

func (p *priced) currency() string {
	if p.terms.Currency != "" {
		return p.terms.Currency
	}
	return "USD"
}
