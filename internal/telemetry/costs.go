package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Cost is what the tasks of one service have cost since the month began.
type Cost struct {
	Account, Region, Cluster, Service, UsageType, Currency string
	Amount                                                 float64 // for graphs: a bill has the exact amount
}

// costs asks for costs at every scrape.
type costs struct {
	desc *prometheus.Desc
	read func() ([]Cost, error)
}

// Costs adds a metric of costs, which read tells.
func (t *Telemetry) Costs(read func() ([]Cost, error)) error {
	return t.registry.Register(&costs{read: read, desc: prometheus.NewDesc("neargate_cost_month_to_date",
		"What tasks have cost since the month began (UTC), running ones included.",
		[]string{"account", "region", "cluster", "service", "usage_type", "currency"}, nil)})
}

// Describe implements prometheus.Collector.
func (c *costs) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements prometheus.Collector.
func (c *costs) Collect(to chan<- prometheus.Metric) {
	all, err := c.read()
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.desc, err)
		return
	}
	for _, n := range all {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, n.Amount, n.Account, n.Region, n.Cluster, n.Service, n.UsageType, n.Currency)
	}
}
