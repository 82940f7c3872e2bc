package task

import (
	"sync"
	"time"
)

// Rate limits launches by a token bucket. The zero Rate does not limit.
type Rate struct {
	Burst     int     // size of the bucket
	PerSecond float64 // refill
}

// FargateRate is the launch rate of AWS Fargate.
// Source: Amazon ECS developer guide, "AWS Fargate throttling quotas".
func FargateRate() Rate { return Rate{Burst: 100, PerSecond: 20} }

// launches are the buckets of all accounts, regions and kinds of capacity.
type launches struct {
	rate    Rate
	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

type bucketKey struct {
	account, region string
	spot            bool
}

type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
}

func newLaunches(r Rate) *launches {
	return &launches{rate: r, buckets: map[bucketKey]*bucket{}}
}

// take takes one token for each launch, or none and reports false.
func (l *launches) take(account, region string, onDemand, spot int, now time.Time) bool {
	if l.rate.Burst == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.bucket(bucketKey{account, region, false}, now)
	b := l.bucket(bucketKey{account, region, true}, now)
	if a.tokens < float64(onDemand) || b.tokens < float64(spot) {
		return false
	}
	a.tokens -= float64(onDemand)
	b.tokens -= float64(spot)
	return true
}

func (l *launches) bucket(k bucketKey, now time.Time) *bucket {
	full := float64(l.rate.Burst)
	b := l.buckets[k]
	if b == nil {
		b = &bucket{full, now}
		l.buckets[k] = b
	}
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.tokens, b.at = min(full, b.tokens+d*l.rate.PerSecond), now
	}
	return b
}
