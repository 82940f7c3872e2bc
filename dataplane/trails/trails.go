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
	"encoding/hex"
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
	// Put writes a file of a trail unless there is one with the key. Failures whose
	// cause is in how bucket or KMS key are set up are a Refused.
	Put(ctx context.Context, t *trail.Trail, f File) error
}

// File is a compressed file, and where it goes.
type File struct {
	Bucket, Key string
	KMSKey      string // encrypts it; "" for the bucket's encryption
	Metadata    map[string]string
	Body        []byte
}

// Refused is why a file cannot be delivered: a code that GetTrailStatus shows.
type Refused string

// Error implements error.
func (r Refused) Error() string { return "trails: " + string(r) }

// Config says what a Deliverer delivers from where to where.
type Config struct {
	Store            store.Store
	Management, Data Events
	Buckets          Buckets
	Groups           Groups
	Keys             Keys
	Now              func() time.Time
}

// Deliverer delivers the events of all trails.
type Deliverer struct {
	Config
	lanes []lane
}

// lane is events of one kind on their way. Each comes as far as it comes.
type lane struct {
	trail.Lane
	events Events
}

// New makes a deliverer.
func New(c Config) *Deliverer {
	d := &Deliverer{Config: c}
	for _, l := range trail.Lanes() {
		events := c.Management
		if l.Data {
			events = c.Data
		}
		d.lanes = append(d.lanes, lane{l, events})
	}
	return d
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
	err := d.Store.View(ctx, func(tx store.Tx) (err error) {
		if all, err = store.Collect(tables.Ended.List(tx)); err != nil {
			return err
		}
		now, err := store.Collect(tables.Trails.List(tx))
		all = append(all, now...)
		return err
	})
	for i := range all {
		err = errors.Join(err, d.deliver(ctx, &all[i]))
	}
	return err
}

// deliver delivers what has arrived for a trail, and the digest files that are due.
func (d *Deliverer) deliver(ctx context.Context, t *trail.Trail) error {
	files, logged := true, true // nothing is left
	for i := range d.lanes {
		l := &d.lanes[i]
		step, all := d.step, &files
		if l.ToLogs {
			step, all = d.log, &logged
		}
		for {
			more, idle, err := step(ctx, t, l)
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			if !more {
				*all = *all && idle
				break
			}
		}
	}
	if err := d.digests(ctx, t, files); err != nil || !t.Deleted {
		return err
	}
	return d.end(ctx, t, files && logged)
}

// end forgets a deleted trail once it has delivered everything, or cannot for long.
func (d *Deliverer) end(ctx context.Context, t *trail.Trail, idle bool) error {
	since := d.Now().Sub(t.StoppedAt)
	if since < trail.Grace || !idle && since < trail.GiveUp {
		return nil
	}
	return d.Store.Update(ctx, func(tx store.Tx) error {
		now, there, err := tables.Current(tx, t)
		if err != nil || !there {
			return err
		}
		left, err := store.Collect(tables.Chains.List(tx, t.Account, t.Region, t.Slot()))
		if err != nil || len(left) > 0 && since < trail.GiveUp {
			return err
		}
		return tables.Forget(tx, &now)
	})
}

// step delivers one batch of a trail in a lane; more says that there may be another, and
// idle that nothing is left.
func (d *Deliverer) step(ctx context.Context, t *trail.Trail, l *lane) (more, idle bool, err error) {
	var at trail.Delivery
	there := false
	err = d.Store.View(ctx, func(tx store.Tx) (err error) {
		at, there, err = d.load(tx, t, l.Lane)
		return err
	})
	if err != nil || !there || at.Pending == nil && (!t.Uses(l.Lane) || t.Done(at.Position)) {
		return false, true, err
	}
	events, more, err := l.events.Arrived(ctx, at.Position, atATime)
	if err != nil || len(events) == 0 && at.Pending == nil {
		return false, true, err
	}
	if at.Pending != nil {
		events = slices.DeleteFunc(events, func(a trail.Arrival) bool { return a.Position > at.Pending.To })
		more = true
	} else {
		at.Pending = &trail.Batch{To: events[len(events)-1].Position, At: d.Now().UTC(), By: new(*t)}
	}
	by := t
	if at.Pending.By != nil {
		by = at.Pending.By
	}
	files := byRegion(by, events)
	if len(files) == 0 {
		if !more {
			return false, true, nil // they are read again, rather than that nothing is written down each minute
		}
		at.Position, at.Pending = at.Pending.To, nil
		return more, false, d.save(ctx, t, at, nil)
	}
	at.Pending.Bucket, at.Pending.Prefix, at.Pending.Key = t.Bucket, t.Prefix, t.Key
	at.AttemptedAt = d.Now().UTC()
	if err := d.save(ctx, t, at, nil); err != nil {
		return false, false, err
	}
	written := map[string]trail.LogFile{}
	for _, f := range files {
		key := at.Pending.FileKey(t.Account, f.region, unique(t.ID+l.Name, f.region, at.Position))
		text := f.text()
		err := d.Buckets.Put(ctx, t, File{Bucket: at.Pending.Bucket, Key: key, KMSKey: at.Pending.Key, Body: compressed(text)})
		if err != nil {
			return false, false, d.failed(ctx, t, at, err)
		}
		if by.Validate {
			written[f.region] = f.digest(at.Pending.Bucket, key, text)
		}
	}
	at.Position, at.Pending, at.DeliveredAt, at.Error = at.Pending.To, nil, at.AttemptedAt, ""
	return more, false, d.save(ctx, t, at, written)
}

// load finds how far a trail has come in a lane. There is false when it has been deleted.
// The trail is brought up to date.
func (d *Deliverer) load(tx store.Tx, t *trail.Trail, lane trail.Lane) (at trail.Delivery, there bool, err error) {
	now, ok, err := tables.Current(tx, t)
	if err != nil || !ok {
		return at, false, err
	}
	*t = now
	at, ok, err = tables.FindDelivery(tx, t, lane)
	if !ok || at.Trail != t.ID {
		at = trail.Delivery{Lane: lane.Name}
	}
	at.Position = max(at.Position, t.From(lane))
	return at, true, err
}

// failed writes down why a delivery was not made. The error is that of the delivery where
// nobody refused it, and of writing down.
func (d *Deliverer) failed(ctx context.Context, t *trail.Trail, at trail.Delivery, err error) error {
	if refused, ok := errors.AsType[Refused](err); ok {
		at.Error = string(refused)
		return d.save(ctx, t, at, nil)
	}
	at.Error = "InternalError"
	return errors.Join(err, d.save(ctx, t, at, nil))
}

// save writes down how far a trail has come, and what files it wrote, by region, unless it
// has been deleted.
func (d *Deliverer) save(ctx context.Context, t *trail.Trail, at trail.Delivery, written map[string]trail.LogFile) error {
	return d.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Current(tx, t); err != nil || !ok {
			return err
		}
		if err := delivered(tx, t, at.AttemptedAt, written); err != nil {
			return err
		}
		return d.keep(tx, t, at)
	})
}

func (d *Deliverer) keep(tx store.Tx, t *trail.Trail, at trail.Delivery) error {
	at.Account, at.Region, at.Name, at.Trail = t.Account, t.Region, t.Slot(), t.ID
	return tables.Deliveries.Put(tx, &at)
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

// text is the file's content.
func (f *file) text() []byte {
	b := []byte(`{"Records":[`)
	for i, e := range f.events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, e.Text...)
	}
	return append(b, "]}"...)
}

// digest is what a digest file says of the file.
func (f *file) digest(bucket, key string, text []byte) trail.LogFile {
	sum := sha256.Sum256(text)
	oldest, newest := f.events[0].Time, f.events[0].Time
	for _, e := range f.events {
		if e.Time.Before(oldest) {
			oldest = e.Time
		}
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	return trail.LogFile{Bucket: bucket, Key: key, Hash: hex.EncodeToString(sum[:]), Oldest: oldest, Newest: newest}
}

func compressed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b) // writing to memory never fails
	z.Write(text)
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
