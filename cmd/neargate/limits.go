package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"neargate/internal/bucket"
	"neargate/service/ecs/task"
	"neargate/wire"
	"neargate/wire/shape"
)

// limits are the rates above which calls are refused as AWS refuses them. As a
// file: {"launches": {"burst": 100, "perSecond": 20}, "api": [{"service": "ecs",
// "operations": ["RunTask"], "rate": {"burst": 20, "perSecond": 20}}]}. An entry
// without operations is for all that no other entry of its service names; a rate
// of zero limits nothing.
type limits struct {
	Launches task.Rate    // Fargate tasks, by account and region, on-demand and Spot apart
	API      []wire.Limit // calls, by account and region
}

// readLimits returns AWS's limits, or those of a file.
func readLimits(path string) (limits, error) {
	l := limits{task.FargateRate(), wire.DefaultLimits()}
	if path == "" {
		return l, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer f.Close()
	l = limits{}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	if err := l.check(); err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func (l limits) check() error {
	rates := []bucket.Rate{l.Launches}
	for _, a := range l.API {
		rates = append(rates, a.Rate)
	}
	for _, r := range rates {
		if r.Burst < 0 || r.PerSecond < 0 || r.Burst == 0 && r.PerSecond > 0 {
			return fmt.Errorf("burst %v and perSecond %v make no rate", r.Burst, r.PerSecond)
		}
	}
	return nil
}

// known refuses limits on what is not served.
func (l limits) known(services []shape.Service) error {
	for _, a := range l.API {
		i := slices.IndexFunc(services, func(s shape.Service) bool { return s.ID == a.Service })
		if i < 0 {
			return fmt.Errorf("limits: no service %q is served", a.Service)
		}
		for _, name := range a.Operations {
			if !slices.ContainsFunc(services[i].Operations, func(o shape.Operation) bool { return o.Name == name }) {
				return fmt.Errorf("limits: %s has no operation %q here", a.Service, name)
			}
		}
	}
	return nil
}
