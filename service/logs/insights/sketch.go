package insights

import (
	"hash/maphash"
	"math"
	"slices"

	"neargate/service/logs/insights/expr"
)

// maxHashes is how many distinct values are counted exactly; of more, the number
// is estimated to about 1.6 %.
const maxHashes = 4096

// distinctCount counts distinct values. It keeps the lowest hashes: how close
// they lie together says how many there are.
type distinctCount struct {
	hashes map[uint64]bool
	most   uint64 // the highest kept, once some are not
	full   bool
}

// seed is fixed for the process, so that equal values have equal hashes.
var seed = maphash.MakeSeed()

func (d *distinctCount) add(v expr.Value, _ *row) int64 {
	h := maphash.String(seed, v.Key())
	if d.full && h >= d.most || d.hashes[h] {
		return 0
	}
	if d.hashes == nil {
		d.hashes = map[uint64]bool{}
	}
	d.hashes[h] = true
	if len(d.hashes) < 2*maxHashes {
		return hashSize
	}
	kept := make([]uint64, 0, len(d.hashes))
	for h := range d.hashes {
		kept = append(kept, h)
	}
	slices.Sort(kept)
	clear(d.hashes)
	for _, h := range kept[:maxHashes] {
		d.hashes[h] = true
	}
	d.most, d.full = kept[maxHashes], true
	return 0
}

const hashSize = 32 // bytes in a map

func (d *distinctCount) result() expr.Value {
	n := float64(len(d.hashes))
	if d.full {
		n = math.Round(n / (float64(d.most) / math.MaxUint64))
	}
	return expr.Num(n)
}

// maxValues is how many values a percentile is exact for; beyond, they are
// counted in buckets of 1 % width.
const maxValues = 4096

// percentile is the value that a part of the values do not exceed.
type percentile struct {
	percent float64
	values  []float64
	buckets map[bucket]int64 // in place of values when there are many
	n       int64
}

// bucket counts values of one sign whose logarithm is near.
type bucket struct {
	sign  int8
	power int32
}

// growth is the ratio of the bounds of a bucket.
const growth = 1.01

func (p *percentile) add(v expr.Value, _ *row) int64 {
	x, ok := v.Number()
	if !ok {
		return 0
	}
	p.n++
	if p.buckets != nil {
		return p.count(x)
	}
	p.values = append(p.values, x)
	if len(p.values) < maxValues {
		return 8
	}
	p.buckets = map[bucket]int64{}
	var more int64
	for _, x := range p.values {
		more += p.count(x)
	}
	more -= 8 * int64(len(p.values))
	p.values = nil
	return more
}

func (p *percentile) count(x float64) int64 {
	b := bucketOf(x)
	p.buckets[b]++
	if p.buckets[b] == 1 {
		return hashSize
	}
	return 0
}

func bucketOf(x float64) bucket {
	switch {
	case x > 0:
		return bucket{1, int32(math.Ceil(math.Log(x) / math.Log(growth)))}
	case x < 0:
		return bucket{-1, int32(math.Ceil(math.Log(-x) / math.Log(growth)))}
	}
	return bucket{}
}

// middle is the value that stands for all of a bucket.
func (b bucket) middle() float64 {
	return float64(b.sign) * 2 * math.Pow(growth, float64(b.power)) / (growth + 1)
}

func (p *percentile) result() expr.Value {
	if p.n == 0 {
		return expr.Value{}
	}
	rank := max(int64(math.Ceil(p.percent/100*float64(p.n))), 1)
	if p.buckets == nil {
		slices.Sort(p.values)
		return expr.Num(p.values[rank-1])
	}
	var all []bucket
	for b := range p.buckets {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b bucket) int {
		switch x, y := a.middle(), b.middle(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for _, b := range all {
		if rank -= p.buckets[b]; rank <= 0 {
			return expr.Num(b.middle())
		}
	}
	return expr.Value{}
}
