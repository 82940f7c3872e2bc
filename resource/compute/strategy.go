package compute

// NextProvider says which capacity provider of a strategy the next task goes
// to, given how many tasks each has: bases are filled first, then the provider
// that lags most behind its weight. It returns "" for an empty strategy or one
// whose weights are all zero once the base is filled.
// Source: Amazon ECS capacity provider strategy, base and weight.
func NextProvider(strategy []StrategyItem, have map[string]int) string {
	for _, it := range strategy {
		if have[it.Provider] < it.Base {
			return it.Provider
		}
	}
	best := -1
	for i, it := range strategy {
		if it.Weight == 0 {
			continue
		}
		// Compare (n_i + 1) / w_i without division: the smaller share goes next.
		if best < 0 || (have[it.Provider]-it.Base+1)*strategy[best].Weight <
			(have[strategy[best].Provider]-strategy[best].Base+1)*it.Weight {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return strategy[best].Provider
}

// Bounds are the fewest healthy and the most tasks a rolling update of desired
// tasks may have: the minimum rounds up, the maximum down.
func (r Rolling) Bounds(desired int) (lower, upper int) {
	return (desired*r.MinimumHealthyPercent + 99) / 100, desired * r.MaximumPercent / 100
}
