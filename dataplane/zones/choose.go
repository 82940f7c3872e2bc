package zones

import (
	"math/rand/v2"

	"neargate/resource/zone"
)

// maxMulti is how many of the sets with a multivalue answer are answered. Source:
// Amazon Route 53 Developer Guide, Multivalue answer routing.
const maxMulti = 8

// typesOf are the types of record sets, in their order.
func typesOf(sets []zone.RecordSet) (all []string) {
	for i := range sets {
		if len(all) == 0 || all[len(all)-1] != sets[i].Type {
			all = append(all, sets[i].Type)
		}
	}
	return all
}

func ofType(sets []zone.RecordSet, typ string) (all []zone.RecordSet) {
	for i := range sets {
		if sets[i].Type == typ {
			all = append(all, sets[i])
		}
	}
	return all
}

// choose are the sets to answer with, of those of a name and type: one of several with
// weights, as likely as its weight says, or some with a multivalue answer.
func choose(sets []zone.RecordSet) []zone.RecordSet {
	if len(sets) < 2 {
		return sets
	}
	if sets[0].MultiValue != nil {
		some := make([]zone.RecordSet, 0, maxMulti)
		for _, i := range rand.Perm(len(sets))[:min(maxMulti, len(sets))] {
			some = append(some, sets[i])
		}
		return some
	}
	return []zone.RecordSet{sets[weighted(sets, rand.Int64N)]}
}

// weighted is the place of one of the sets. Where all weigh nothing, each is as likely.
func weighted(sets []zone.RecordSet, random func(int64) int64) int {
	var total int64
	for i := range sets {
		total += weight(&sets[i])
	}
	if total == 0 {
		return int(random(int64(len(sets))))
	}
	at := random(total)
	for i := range sets {
		if at -= weight(&sets[i]); at < 0 {
			return i
		}
	}
	return len(sets) - 1
}

func weight(r *zone.RecordSet) int64 {
	if r.Weight == nil {
		return 0
	}
	return *r.Weight
}
