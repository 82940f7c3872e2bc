package task

import (
	"time"

	"neargate/internal/bucket"
)

// Rate limits launches: tasks at once, and tasks a second after that. The zero
// Rate does not limit.
type Rate = bucket.Rate

// FargateRate is the launch rate of AWS Fargate.
// Source: Amazon ECS developer guide, "AWS Fargate throttling quotas".
func FargateRate() Rate { return Rate{Burst: 100, PerSecond: 20} }

// launches are the buckets of all accounts and regions, apart for on-demand and
// Spot capacity.
type launches struct {
	rate    Rate
	buckets bucket.Set[bucketKey]
}

type bucketKey struct {
	account, region string
	spot            bool
}

// take takes one token for each launch, or none and reports false.
func (l *launches) take(account, region string, onDemand, spot int, now time.Time) bool {
	key := bucketKey{account, region, false}
	if !l.buckets.Take(key, l.rate, now, float64(onDemand)) {
		return false
	}
	if l.buckets.Take(bucketKey{account, region, true}, l.rate, now, float64(spot)) {
		return true
	}
	l.buckets.Take(key, l.rate, now, float64(-onDemand)) // given back
	return false
}
