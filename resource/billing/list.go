package billing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"neargate/arn"
)

// List is what things cost in one region, and on which terms. It is not changed
// once it is read.
type List struct {
	Region, Code string // e.g. ap-northeast-1 and APN1, which its usage types begin with
	Currency     string
	Sources      map[string]Source
	Notes        []string
	Terms        Terms
	series       map[Dimension][]Price // by the day they begin
}

// Source is where a price was read, and the day it was.
type Source struct {
	What string `json:"what"`
	Date Day    `json:"date"`
}

// Price is what one unit of a dimension costs from a day on, until another price
// of the dimension begins.
type Price struct {
	Dimension Dimension
	Unit      string
	Amount    Decimal
	From      Day
	Source    string // a key of the list's Sources
	Note      string
	Disputed  []Dispute
}

// Dispute is another price that a source gives for the same.
type Dispute struct {
	Unit, Source, Note string
	Amount             Decimal
}

// Day is a date, at midnight UTC.
type Day struct{ time.Time }

// MarshalJSON implements [encoding/json.Marshaler].
func (d Day) MarshalJSON() ([]byte, error) { return []byte(d.Format(`"` + time.DateOnly + `"`)), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (d *Day) UnmarshalJSON(b []byte) (err error) {
	if d.Time, err = time.Parse(`"`+time.DateOnly+`"`, string(b)); err != nil {
		return fmt.Errorf("%.40s is not a day, such as \"2026-01-31\"", b)
	}
	return nil
}

// document is a price list as a file.
type document struct {
	Base     string            `json:"base"` // "aws": what is not here is as in AWS's list
	Region   string            `json:"region"`
	Code     string            `json:"code"`
	Currency string            `json:"currency"`
	Sources  map[string]Source `json:"sources"`
	Notes    []string          `json:"notes"`
	Terms    json.RawMessage   `json:"terms"`
	Prices   []row             `json:"prices"`
}

type row struct {
	Service   string        `json:"service"`
	UsageType string        `json:"usageType"`
	Unit      string        `json:"unit"`
	Price     *Decimal      `json:"price"`
	From      Day           `json:"from"`
	Source    string        `json:"source"`
	Note      string        `json:"note"`
	Disputed  []disputedRow `json:"disputed"`
}

type disputedRow struct {
	Unit   string   `json:"unit"`
	Price  *Decimal `json:"price"`
	Source string   `json:"source"`
	Note   string   `json:"note"`
}

// maxList bounds a price list's file; AWS's own of one service is larger, but
// holds every region and term.
const maxList = 4 << 20

var (
	codeForm     = regexp.MustCompile(`^[A-Z]{2,4}[0-9]?$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// ReadList reads a price list. What is wrong with it is said with its place.
func ReadList(b []byte) (*List, error) {
	if len(b) > maxList {
		return nil, fmt.Errorf("price list: more than %d bytes", maxList)
	}
	l, err := readList(b)
	if err != nil {
		return nil, fmt.Errorf("price list: %w", err)
	}
	return l, nil
}

func readList(b []byte) (*List, error) {
	var doc document
	if err := strict(b, &doc); err != nil {
		return nil, err
	}
	if !arn.KnownRegion(doc.Region) {
		return nil, fmt.Errorf("region: AWS has no region %q", doc.Region)
	}
	l := &List{Terms: DefaultTerms(), Sources: map[string]Source{}, series: map[Dimension][]Price{}}
	switch doc.Base {
	case "":
	case "aws":
		base, err := AWS(doc.Region)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		if doc.Code == "" {
			doc.Code = base.Code
		}
		if doc.Currency == "" {
			doc.Currency = base.Currency
		}
		if doc.Code != base.Code || doc.Currency != base.Currency {
			return nil, fmt.Errorf("base: AWS's list has code %s and currency %s", base.Code, base.Currency)
		}
		l = base
	default:
		return nil, fmt.Errorf(`base: %q is neither "aws" nor left out`, doc.Base)
	}
	if !codeForm.MatchString(doc.Code) {
		return nil, fmt.Errorf("code: %q is no region code of usage types, such as APN1", doc.Code)
	}
	if !currencyForm.MatchString(doc.Currency) {
		return nil, fmt.Errorf("currency: %q is no currency, such as USD", doc.Currency)
	}
	if len(doc.Prices) == 0 && doc.Base == "" {
		return nil, errors.New("prices: there are none")
	}
	l.Region, l.Code, l.Currency = doc.Region, doc.Code, doc.Currency
	l.Notes = append(l.Notes, doc.Notes...)
	if err := l.addSources(doc.Sources); err != nil {
		return nil, err
	}
	if len(doc.Terms) > 0 {
		if err := strict(doc.Terms, &l.Terms); err != nil {
			return nil, fmt.Errorf("terms: %w", err)
		}
	}
	if err := l.Terms.Check(); err != nil {
		return nil, fmt.Errorf("terms: %w", err)
	}
	return l, l.addPrices(doc.Prices)
}

func (l *List) addSources(sources map[string]Source) error {
	for _, id := range slices.Sorted(maps.Keys(sources)) {
		if s := sources[id]; s.What == "" || s.Date.IsZero() {
			return fmt.Errorf("sources: %q lacks what or date", id)
		}
		l.Sources[id] = sources[id]
	}
	return nil
}

// addPrices adds the rows' series in place of those the list has.
func (l *List) addPrices(rows []row) error {
	known := map[string]Dimension{}
	for d := range units {
		known[d.Service()+" "+d.UsageType(l.Region, l.Code)] = d
	}
	added := map[Dimension][]Price{}
	for i, r := range rows {
		p, err := l.price(known, r)
		if err != nil {
			return fmt.Errorf("prices[%d] (%s): %w", i, r.UsageType, err)
		}
		for _, q := range added[p.Dimension] {
			if q.From.Equal(p.From.Time) {
				return fmt.Errorf("prices[%d] (%s): a second price from %s on", i, r.UsageType, p.From.Format(time.DateOnly))
			}
		}
		added[p.Dimension] = append(added[p.Dimension], p)
	}
	for d, s := range added {
		slices.SortFunc(s, func(a, b Price) int { return a.From.Compare(b.From.Time) })
		l.series[d] = s
	}
	return nil
}

func (l *List) price(known map[string]Dimension, r row) (Price, error) {
	d, ok := known[r.Service+" "+r.UsageType]
	if !ok {
		return Price{}, fmt.Errorf("nothing of service %q is measured by this usage type in %s", r.Service, l.Region)
	}
	p := Price{Dimension: d, Unit: r.Unit, From: r.From, Source: r.Source, Note: r.Note}
	var err error
	if p.Amount, err = l.amount(d, r.Price, r.Unit, r.Source); err != nil {
		return p, err
	}
	if r.From.IsZero() {
		return p, errors.New("from: the day the price begins is missing")
	}
	for _, o := range r.Disputed {
		n, err := l.amount(d, o.Price, o.Unit, o.Source)
		if err != nil {
			return p, fmt.Errorf("disputed: %w", err)
		}
		p.Disputed = append(p.Disputed, Dispute{o.Unit, o.Source, o.Note, n})
	}
	return p, nil
}

func (l *List) amount(d Dimension, price *Decimal, unit, source string) (Decimal, error) {
	if price == nil {
		return Decimal{}, errors.New("price: there is none")
	}
	if price.Sign() < 0 {
		return Decimal{}, fmt.Errorf("price: %s is less than nothing", price)
	}
	if unit != d.Unit() && unit != perSecond(d.Unit()) {
		return Decimal{}, fmt.Errorf("unit: %q is not %q", unit, d.Unit())
	}
	if _, ok := l.Sources[source]; !ok {
		return Decimal{}, fmt.Errorf("source: %q is not among the sources", source)
	}
	return *price, nil
}

// perSecond is the unit of a price for a second where unit is one for an hour;
// else it is unit.
func perSecond(unit string) string {
	switch unit {
	case hours:
		return seconds
	case gbHours:
		return gbSeconds
	}
	return unit
}

// Prices lists the series of a dimension, the oldest price first.
func (l *List) Prices(d Dimension) []Price { return slices.Clone(l.series[d]) }

// PriceAt is the price in effect at a time.
func (l *List) PriceAt(d Dimension, at time.Time) (Price, error) {
	s := l.series[d]
	for _, p := range slices.Backward(s) {
		if !at.Before(p.From.Time) {
			return p, nil
		}
	}
	e := &NoPrice{UsageType: d.UsageType(l.Region, l.Code), Region: l.Region, At: at}
	if len(s) > 0 {
		e.First = s[0].From
	}
	return Price{}, e
}

// NoPrice is the error for what a price list does not say.
type NoPrice struct {
	UsageType, Region string
	At                time.Time
	First             Day // when the first price begins; zero when there is none
}

// Error implements error.
func (e *NoPrice) Error() string {
	s := fmt.Sprintf("no price is known for %s in %s", e.UsageType, e.Region)
	if e.First.IsZero() {
		return s
	}
	return fmt.Sprintf("%s on %s: the first is from %s", s, e.At.UTC().Format(time.DateOnly), e.First.Format(time.DateOnly))
}

// strict reads one JSON value with nothing unknown in it and nothing after it.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")), err)
		}
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after the end")
	}
	return nil
}
