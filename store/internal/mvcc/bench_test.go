package mvcc

import (
	"bytes"
	"fmt"
	"testing"

	"neargate/store"
)

// BenchmarkUpdate decides commits of two records with two index entries each, while 32 to
// 64 are pending.
func BenchmarkUpdate(b *testing.B) {
	const half = 32
	c := pipeline()
	defer c.Close(store.ErrClosed)
	val := bytes.Repeat([]byte("x"), 400)
	for i := range 64 {
		c.work.Set(fmt.Sprintf("family\x00default/%03d", i), NewItem(val))
	}
	c.settle(0, 0)
	b.ReportAllocs()
	var flight Batch
	for i := range b.N {
		if i%half == 0 {
			if flight.n > 0 {
				c.Durable(flight)
			}
			flight, _ = c.Next(10_000, 1<<20)
		}
		// Registered out of order, as identifiers are.
		id := fmt.Sprintf("%08x", uint32(i)*2654435761)
		task, rev := "task\x00default/"+id, "revision\x00default/"+id
		mine := []string{"task.family\x00default/f/" + id, "task.started\x00default/s/" + id}
		its := []string{"revision.family\x00default/f/" + id, "revision.status\x00default/s/" + id}
		family := fmt.Sprintf("family\x00default/%03d", i%64)
		if _, ok := c.attempt(b.Context(), func(tx store.Tx) error {
			if _, err := tx.Get(family); err != nil {
				return err
			}
			tx.PutRecord(task, val, mine, mine)
			tx.PutRecord(rev, val, its, its)
			return nil
		}, false); !ok {
			b.Fatal("the attempt lost a race with nobody")
		}
	}
}
