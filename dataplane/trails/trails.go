// Package trails delivers CloudTrail events to the buckets of trails, as files in
// CloudTrail's format: every event once, also when the process is killed in between.
//
// What is to be written next is written down first: up to which event, when, and where
// to. The names of files follow from that, and a file that is there is not written
// again; so doing it once more after a crash makes the same files.
package trails

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"time"

	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

// every is how often files are delivered. AWS does it about every five minutes.
const every = time.Minute

// atATime is how many events are read at a time: what one file may hold.
const atATime = 5000

// Events are events in the order of their arrival.
type Events interface {
	Arrived(ctx context.Context, after uint64, limit int) (events []trail.Arrival, more bool, err error)
}

// Buckets are where files go.
type Buckets interface {
	// Put writes a file unless there is one with the key. Failures whose cause is in
	// how bucket or KMS key are set up are a Refused.
	Put(ctx context.Context, t *trail.Trail, b *trail.Batch, key string, body []byte) error
}

// Refused is why a file cannot be delivered: a code that GetTrailStatus shows.
type Refused string

// Error implements error.
func (r Refused) Error() string { return "trails: " + string(r) }

// Deliverer delivers the events of all trails.
type Deliverer struct {
	store   store.Store
	events  Events
	buckets Buckets
	now     func() time.Time
}

// New makes a deliverer.
func New(s store.Store, e Events, b Buckets, now func() time.Time) *Deliverer {
	return &Deliverer{s, e, b, now}
}

// Run delivers every minute until ctx ends.
func (d *Deliverer) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.Deliver(ctx); err != nil && ctx.Err() == nil {
			log.Error("CloudTrail events could not be delivered", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Deliver delivers what has arrived. That one trail's cannot be does not keep it from
// the others.
func (d *Deliverer) Deliver(ctx context.Context) error {
	var all []trail.Trail
	err := d.store.View(ctx, func(tx store.Tx) (err error) {
		all, err = store.Collect(tables.Trails.List(tx))
		return err
	})
	for i := range all {
		for more := true; more && ctx.Err() == nil; {
			var failed error
			if more, failed = d.step(ctx, &all[i]); failed != nil {
				err = errors.Join(err, failed)
				break
			}
		}
	}
	return err
}

// step delivers one batch of a trail; more says that there may be another.
func (d *Deliverer) step(ctx context.Context, t *trail.Trail) (more bool, err error) {
	var at trail.Delivery
	there := false
	err = d.store.View(ctx, func(tx store.Tx) (err error) {
		at, there, err = d.load(tx, t)
		return err
	})
	if err != nil || !there || at.Pending == nil && (t.Since == 0 || t.Done(at.Position)) {
		return false, err
	}
	events, more, err := d.events.Arrived(ctx, at.Position, atATime)
	if err != nil || len(events) == 0 && at.Pending == nil {
		return false, err
	}
	if at.Pending != nil {
		events = slices.DeleteFunc(events, func(a trail.Arrival) bool { return a.Position > at.Pending.To })
		more = true
	}
	files := byRegion(t, events)
	if at.Pending == nil {
		at.Pending = &trail.Batch{To: events[len(events)-1].Position, At: d.now().UTC()}
		if len(files) == 0 && !more {
			return false, nil // they are read again, rather than that nothing is written down each minute
		}
	}
	if len(files) == 0 {
		return more, d.save(ctx, t, trail.Delivery{Position: at.Pending.To, AttemptedAt: at.AttemptedAt, DeliveredAt: at.DeliveredAt, Error: at.Error})
	}
	at.Pending.Bucket, at.Pending.Prefix, at.Pending.Key = t.Bucket, t.Prefix, t.Key
	at.AttemptedAt = d.now().UTC()
	if err := d.save(ctx, t, at); err != nil {
		return false, err
	}
	for _, f := range files {
		key := at.Pending.FileKey(t.Account, f.region, unique(t.ID, f.region, at.Position))
		err := d.buckets.Put(ctx, t, at.Pending, key, f.pack())
		if refused, ok := errors.AsType[Refused](err); ok {
			at.Error = string(refused)
			return false, d.save(ctx, t, at)
		}
		if err != nil {
			at.Error = "InternalError"
			return false, errors.Join(err, d.save(ctx, t, at))
		}
	}
	return more, d.save(ctx, t, trail.Delivery{Position: at.Pending.To, AttemptedAt: at.AttemptedAt, DeliveredAt: at.AttemptedAt})
}

// load finds how far a trail has come. There is false when it has been deleted. The
// trail is brought up to date.
func (d *Deliverer) load(tx store.Tx, t *trail.Trail) (at trail.Delivery, there bool, err error) {
	now, ok, err := tables.Trails.Find(tx, t.Account, t.Region, t.Name)
	if err != nil || !ok || now.ID != t.ID {
		return at, false, err
	}
	*t = now
	at, ok, err = tables.Deliveries.Find(tx, t.Account, t.Region, t.Name)
	if !ok || at.Trail != t.ID {
		at = trail.Delivery{}
	}
	at.Position = max(at.Position, t.Since)
	return at, true, err
}

// save writes down how far a trail has come, unless it has been deleted.
func (d *Deliverer) save(ctx context.Context, t *trail.Trail, at trail.Delivery) error {
	at.Account, at.Region, at.Name, at.Trail = t.Account, t.Region, t.Name, t.ID
	return d.store.Update(ctx, func(tx store.Tx) error {
		if now, ok, err := tables.Trails.Find(tx, t.Account, t.Region, t.Name); err != nil || !ok || now.ID != t.ID {
			return err
		}
		return tables.Deliveries.Put(tx, &at)
	})
}

// file is what a file holds: events of one region.
type file struct {
	region string
	events []trail.Arrival
}

// byRegion sorts the events a trail wants into files.
func byRegion(t *trail.Trail, events []trail.Arrival) (files []file) {
	for _, e := range events {
		if !t.Wants(&e.Event) {
			continue
		}
		i, ok := slices.BinarySearchFunc(files, e.Region, func(f file, region string) int { return cmp.Compare(f.region, region) })
		if !ok {
			files = slices.Insert(files, i, file{region: e.Region})
		}
		files[i].events = append(files[i].events, e)
	}
	return files
}

// pack is the file's content.
func (f *file) pack() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b) // writing to memory never fails
	z.Write([]byte(`{"Records":[`))
	for i, e := range f.events {
		if i > 0 {
			z.Write([]byte{','})
		}
		z.Write([]byte(e.Text))
	}
	z.Write([]byte("]}"))
	z.Close()
	return b.Bytes()
}

// uniqueLen is the length of the random part of a file's name.
const uniqueLen = 16

// unique is the part of a file's name that looks random: the same for the same trail,
// region and position.
func unique(id, region string, position uint64) string {
	h := sha256.New()
	h.Write([]byte(strings.Join([]string{id, region, ""}, "\x00")))
	h.Write(binary.BigEndian.AppendUint64(nil, position))
	text := new(big.Int).SetBytes(h.Sum(nil)).Text(62)
	return text[len(text)-uniqueLen:]
}
