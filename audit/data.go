package audit

import (
	"context"
	"crypto/tls"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/internal/encode"
	"neargate/internal/pause"
	"neargate/resource/objects"
	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
	"neargate/wire"
)

// Access is the Input of a call of Amazon S3 that is about objects.
type Access struct {
	Bucket, Key    string
	Owner          string // the bucket's account; "" where there is no such bucket
	Many           bool   // it is about all keys that begin with Key
	Parameters     []Pair // beside bucket, key and host
	Answers        []Pair
	Signature      string // version of it; "" for none
	Authentication string // where the signature was; "" likewise
	Encryption     string // that was applied to what was written
	ID2            string
	In, Out        int64 // bytes of content
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// renamed are the operations that CloudTrail has other names for.
var renamed = map[[2]string]string{{"s3", "ListObjectsV2"}: "ListObjects"}

// ofData reports whether an operation is a data event, which trails leave out unless
// asked: log events, and all of S3 that is about objects.
func ofData(service, operation string) bool {
	switch service {
	case "logs":
		return slices.Contains([]string{"PutLogEvents", "GetLogEvents", "FilterLogEvents", "StartLiveTail"}, operation)
	case "s3":
		return OfObjects(operation)
	}
	return false
}

// OfObjects reports whether an operation of Amazon S3 is about objects.
func OfObjects(operation string) bool {
	return operation == "HeadBucket" || !strings.Contains(operation, "Bucket") && !strings.Contains(operation, "PublicAccessBlock")
}

// selection is the trails that may want data events, by account.
type selection struct{ trails map[string][]trail.Trail }

// Selecting reports whether any trail may want data events.
func (r *Recorder) Selecting() bool { return len(r.selected.Load().trails) > 0 }

// records reports whether a call may become events.
func (r *Recorder) records(c *wire.Call) bool {
	if !ofData(c.Service, c.Operation) {
		return accountOf(c) != ""
	}
	a, ok := c.Input.(*Access)
	if !ok {
		return false
	}
	s := r.selected.Load()
	return slices.ContainsFunc(recipients(c, a), func(account string) bool { return len(s.trails[account]) > 0 })
}

// wants reports whether a trail wants a data event.
func (r *Recorder) wants(e *trail.Event) bool {
	return slices.ContainsFunc(r.selected.Load().trails[e.Account], func(t trail.Trail) bool { return t.Wants(e) })
}

// retry is how long after a failure trails are looked up again.
const retry = time.Second

// follow keeps to what trails select, until ctx ends.
func (r *Recorder) follow(ctx context.Context) {
	for ctx.Err() == nil {
		rev, err := r.find(ctx)
		if err == nil {
			for _, err = range r.store.Watch(ctx, rev, slices.Concat(tables.Trails.Prefixes(), tables.Ended.Prefixes())...) {
				if err == nil {
					_, err = r.find(ctx)
				}
				if err != nil {
					break
				}
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.errs.Warn("trails are looked up again", "error", err)
		pause.For(ctx, retry)
	}
}

// find finds the trails that may want data events.
func (r *Recorder) find(ctx context.Context) (rev store.Rev, err error) {
	s := selection{map[string][]trail.Trail{}}
	err = r.store.View(ctx, func(tx store.Tx) error {
		rev = tx.Rev()
		clear(s.trails)
		for _, table := range []store.Table[trail.Trail]{tables.Trails, tables.Ended} { // which is about calls of before
			for t, err := range table.List(tx) {
				if err != nil {
					return err
				}
				if t.Since != 0 && t.SelectsData() {
					s.trails[t.Account] = append(s.trails[t.Account], t)
				}
			}
		}
		return nil
	})
	if err == nil {
		r.selected.Store(&s)
	}
	return rev, err
}

// recipients are whose trails a call belongs to: the caller's, and the bucket's owner's.
// What proves no caller is in nobody's, unless it came without a signature.
func recipients(c *wire.Call, a *Access) (accounts []string) {
	if c.Account != "" {
		accounts = append(accounts, c.Account)
	}
	if a.Owner != "" && a.Owner != c.Account {
		accounts = append(accounts, a.Owner)
	}
	return accounts
}

// addData makes the events of a call about objects: one for each account whose trails
// want it.
// Source: Amazon S3 User Guide, "Amazon S3 CloudTrail events".
func (m *maker) addData(tx store.Tx, c *wire.Call, a *Access) error {
	shared, accounts := "", recipients(c, a)
	if len(accounts) > 1 {
		shared = m.ids.UUID()
	}
	object := trail.Resource{Type: "AWS::S3::Object", Name: objects.BucketARN(c.Region, a.Bucket) + "/" + a.Key}
	bucket := trail.Resource{Type: "AWS::S3::Bucket", Name: objects.BucketARN(c.Region, a.Bucket)}
	for _, account := range accounts {
		who, caller := stranger(c), ""
		if account == c.Account {
			var err error
			if who, err = m.identity(tx, c); err != nil {
				return err
			}
			caller = who.arn
		}
		op := m.operation(c)
		e := trail.Event{
			ID: m.ids.UUID(), Account: account, Region: c.Region, Time: c.Start, Name: op.name, Source: op.source, Username: who.username,
			AccessKeyID: c.AccessKeyID, ReadOnly: op.readOnly, Resources: []trail.Resource{object, bucket}, Data: true, Caller: caller,
		}
		if !m.wants(&e) {
			continue
		}
		b := m.appendHead(m.text, c, who, op, e.Region)
		b = appendMember(b, `,"userAgent":`, "["+c.UserAgent+"]")
		b = appendError(b, c)
		b = appendParameters(b, c, a)
		b = append(b, `,"responseElements":`...)
		if op.readOnly || len(a.Answers) == 0 || c.Code != "" {
			b = append(b, "null"...)
		} else {
			b = append(appendPairs(append(b, '{'), a.Answers, ""), '}')
		}
		b = appendAdditional(b, c, a)
		b = appendIDs(b, c, &e)
		b = appendResources(b, a, object, bucket)
		b = append(b, `,"eventType":"AwsApiCall","managementEvent":false`...)
		b = appendMember(b, `,"recipientAccountId":`, account)
		b = appendOptional(b, `,"sharedEventID":`, shared)
		b = appendVia(b, c)
		b = append(b, `,"eventCategory":"Data"`...)
		m.end(appendTLS(b, c), e)
	}
	return nil
}

// stranger is a caller as another account's trail shows it, or one who showed no
// identity.
func stranger(c *wire.Call) *shown {
	b := []byte(`{"type":"AWSAccount","principalId":`)
	if c.Account == "" {
		return &shown{text: append(b, `"","accountId":"anonymous"}`...)}
	}
	b = appendMember(encode.AppendString(b, userID(c)), `,"accountId":`, c.Account)
	return &shown{text: append(b, '}')}
}

func appendPairs(b []byte, pairs []Pair, before string) []byte {
	for _, p := range pairs {
		b = append(encode.AppendString(append(b, before...), p.Name), ':')
		b = encode.AppendString(b, p.Value)
		before = ","
	}
	return b
}

func appendParameters(b []byte, c *wire.Call, a *Access) []byte {
	b = appendMember(b, `,"requestParameters":{"bucketName":`, a.Bucket)
	b = appendMember(b, `,"Host":`, c.Host)
	if !a.Many {
		b = appendOptional(b, `,"key":`, a.Key)
	}
	return append(appendPairs(b, a.Parameters, ","), '}')
}

func appendAdditional(b []byte, c *wire.Call, a *Access) []byte {
	b = append(b, `,"additionalEventData":{`...)
	if a.Signature != "" {
		b = append(appendMember(b, `"SignatureVersion":`, a.Signature), ',')
	}
	if c.TLS != nil {
		b = append(appendMember(b, `"CipherSuite":`, tls.CipherSuiteName(c.TLS.CipherSuite)), ',')
	}
	b = strconv.AppendInt(append(b, `"bytesTransferredIn":`...), a.In, 10)
	b = appendOptional(b, `,"SSEApplied":`, a.Encryption)
	b = appendOptional(b, `,"AuthenticationMethod":`, a.Authentication)
	b = appendMember(b, `,"x-amz-id-2":`, a.ID2)
	return append(strconv.AppendInt(append(b, `,"bytesTransferredOut":`...), a.Out, 10), '}')
}

func appendResources(b []byte, a *Access, object, bucket trail.Resource) []byte {
	b = appendMember(b, `,"resources":[{"type":`, object.Type)
	name := `,"ARN":`
	if a.Many {
		name = `,"ARNPrefix":`
	}
	b = append(appendMember(b, name, object.Name), `},{`...)
	if a.Owner != "" {
		b = append(appendMember(b, `"accountId":`, a.Owner), ',')
	}
	b = appendMember(b, `"type":`, bucket.Type)
	return append(appendMember(b, `,"ARN":`, bucket.Name), `}]`...)
}

// split sorts events into those of management and those of data. The lists are the
// maker's.
func (m *maker) split(events []trail.Event) (management, data []trail.Event) {
	if !slices.ContainsFunc(events, func(e trail.Event) bool { return e.Data }) {
		return events, nil
	}
	for _, e := range events {
		if e.Data {
			data = append(data, e)
		} else {
			management = append(management, e)
		}
	}
	return management, data
}
