package estimate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"neargate/arn"
	"neargate/resource/billing"
	"neargate/resource/compute/taskdef"
)

// Request is what a user asks to have estimated: a size, a task definition or a
// template, and with which prices.
type Request struct {
	CPU, Memory  string // vCPU and GB, e.g. ".25" and "0.5"; "" with a document
	StorageGiB   int
	Architecture string
	OS           string // linux or windows, or a family of RegisterTaskDefinition
	Spot         bool
	Tasks        int64 // 0 for not said
	Schedule

	Definition, Template []byte // documents; nil for none
	Parameters           map[string]string

	Region string // "" for that of the prices, else the default
	Prices []byte // a price list; nil for AWS's
	Page   bool   // the prices of AWS's page, by the second
	Knobs
}

// Knobs change the terms of a price list; nil and "" leave them.
type Knobs struct {
	Minimum, Step, Decimals *int64
	Discount                string // percent off vCPU and memory on demand
	Currency, Rate          string
}

// Estimate answers the request with the prices in effect at a time.
func (r Request) Estimate(at time.Time) (*Estimate, error) {
	l, err := r.list()
	if err != nil {
		return nil, err
	}
	if err := r.Knobs.Turn(&l.Terms); err != nil {
		return nil, err
	}
	p, err := r.plan(l.Region)
	if err != nil {
		return nil, err
	}
	return Price(p, l, at, r.Schedule)
}

func (r Request) list() (*billing.List, error) {
	var l *billing.List
	var err error
	switch {
	case r.Page && r.Prices != nil:
		return nil, errors.New("either the page's prices or a list of your own")
	case r.Page:
		l, err = billing.Page()
	case r.Prices != nil:
		l, err = billing.ReadList(r.Prices)
	default:
		region := r.Region
		if region == "" {
			region = arn.DefaultRegion
		}
		return billing.AWS(region)
	}
	if err == nil && r.Region != "" && r.Region != l.Region {
		err = fmt.Errorf("the prices are those of %s, not of %q", l.Region, r.Region)
	}
	return l, err
}

// Turn changes terms as the knobs say.
func (k Knobs) Turn(t *billing.Terms) error {
	if k.Minimum != nil {
		t.MinimumSeconds, t.WindowsMinimumSeconds = *k.Minimum, *k.Minimum
	}
	if k.Step != nil {
		t.StepSeconds = *k.Step
	}
	if k.Decimals != nil {
		t.Decimals = int(*k.Decimals)
	}
	if k.Discount != "" {
		percent, err := billing.ParseDecimal(k.Discount)
		if err != nil {
			return fmt.Errorf("discount: %w", err)
		}
		t.Discounts = append(t.Discounts, billing.Discount{Name: "discount", Percent: percent})
	}
	if k.Currency != "" || k.Rate != "" {
		rate, err := billing.ParseDecimal(k.Rate)
		if err != nil {
			return fmt.Errorf("rate: %w", err)
		}
		t.Currency, t.Rate = k.Currency, rate
	}
	return t.Check()
}

func (r Request) plan(region string) (Plan, error) {
	sized := r.CPU != "" || r.Memory != ""
	given := 0
	for _, b := range []bool{sized, r.Definition != nil, r.Template != nil} {
		if b {
			given++
		}
	}
	switch {
	case given != 1:
		return Plan{}, errors.New("one of a size (cpu and memory), a task definition and a template is wanted")
	case r.Tasks < 0:
		return Plan{}, fmt.Errorf("%d tasks are less than none", r.Tasks)
	case !sized && (r.StorageGiB != 0 || r.Architecture != "" || r.OS != ""):
		return Plan{}, errors.New("storage, architecture and operating system are those of the document")
	case r.Template != nil && (r.Tasks != 0 || r.Spot):
		return Plan{}, errors.New("the template says how many tasks there are, and which are Spot")
	case r.Template == nil && len(r.Parameters) > 0:
		return Plan{}, errors.New("parameters are for a template")
	case r.Template != nil:
		return Template(r.Template, region, r.Parameters)
	}
	count := r.Tasks
	if count == 0 {
		count = 1
	}
	if r.Definition != nil {
		return TaskDefinition(r.Definition, count, r.Spot)
	}
	size, err := r.size()
	if err != nil {
		return Plan{}, err
	}
	return Plan{Items: []Item{{Name: "task of " + Describe(size), Count: count, Size: &size}}}, nil
}

func (r Request) size() (billing.Size, error) {
	s := billing.Size{StorageGiB: r.StorageGiB, Architecture: r.Architecture, OSFamily: r.OS, Spot: r.Spot}
	switch {
	case strings.EqualFold(s.Architecture, "x86"):
		s.Architecture = "X86_64"
	case strings.EqualFold(s.Architecture, "arm"):
		s.Architecture = "ARM64"
	}
	var ok bool
	if s.CPU, ok = taskdef.ParseCPU(r.CPU + " vCPU"); !ok {
		return s, fmt.Errorf("cpu: %q is no number of vCPUs", r.CPU)
	}
	if s.Memory, ok = taskdef.ParseMemory(r.Memory + " GB"); !ok {
		return s, fmt.Errorf("memory: %q is no number of GB", r.Memory)
	}
	return s, s.Check()
}
