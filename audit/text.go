package audit

import (
	"crypto/tls"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"neargate/arn"
	"neargate/auth"
	"neargate/internal/encode"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/wire"
)

// version is that of CloudTrail's record format.
const version = "1.11"

// maker makes events of calls. What many calls have in common it makes once, and the
// texts of all events are in one piece.
type maker struct {
	ids   *arn.Source
	print printer
	ops   map[[2]string]*operation // by service and name

	text   []byte
	ends   []int // of the texts
	events []trail.Event
	people map[person]*shown // as they are in one view of the store
	second int64             // of date
	date   []byte
	wants  func(*trail.Event) bool // of data events
}

// operation is what the events of an operation have in common.
type operation struct {
	name     string
	source   string
	readOnly bool
	head     []byte
}

// person tells callers apart.
type person struct{ accessKey, account, arn, user, by, operation string }

// shown is a caller as events show it.
type shown struct {
	username, arn string
	text          []byte
}

const (
	keepText   = 4 << 20 // the largest buffer that is used again
	keepPeople = 1000
)

// make makes the events of calls. They are the maker's, and their texts too, until it is
// asked again.
func (m *maker) make(tx store.Tx, notes []note) ([]trail.Event, error) {
	if cap(m.text) > keepText {
		m.text = nil
	}
	m.text, m.ends, m.events = m.text[:0], m.ends[:0], m.events[:0]
	clear(m.people)
	if m.people == nil {
		m.people, m.ops = map[person]*shown{}, map[[2]string]*operation{}
	}
	for i := range notes {
		if err := m.add(tx, &notes[i]); err != nil {
			return nil, err
		}
	}
	text, from := unsafe.String(unsafe.SliceData(m.text), len(m.text)), 0
	for i := range m.events {
		m.events[i].Text, from = text[from:m.ends[i]], m.ends[i]
	}
	return m.events, nil
}

// add makes the event of a call, or those of data that trails want.
// Source: AWS CloudTrail User Guide, "CloudTrail record contents".
func (m *maker) add(tx store.Tx, n *note) error {
	c := &n.call
	if a, ok := c.Input.(*Access); ok {
		return m.addData(tx, c, a)
	}
	who, err := m.identity(tx, c)
	if err != nil {
		return err
	}
	op := m.operation(c)
	e := trail.Event{
		ID: m.ids.UUID(), Account: n.account, Region: c.Region, Time: c.Start, Name: c.Operation, Source: op.source, Username: who.username,
		AccessKeyID: c.AccessKeyID, ReadOnly: op.readOnly, Resources: n.resources,
	}
	if c.Service == "iam" {
		e.Region = arn.DefaultRegion // IAM is global
	}
	b := m.appendHead(m.text, c, who, op, e.Region)
	b = appendMember(b, `,"userAgent":`, c.UserAgent)
	b = appendError(b, c)
	b = append(b, n.elements...)
	b = appendIDs(b, c, &e)
	b = append(b, `,"eventType":"AwsApiCall","managementEvent":true`...)
	b = appendMember(b, `,"recipientAccountId":`, e.Account)
	b = appendVia(b, c)
	b = append(b, `,"eventCategory":"Management"`...)
	m.end(appendTLS(b, c), e)
	return nil
}

// appendHead prints who called what, from where.
func (m *maker) appendHead(b []byte, c *wire.Call, who *shown, op *operation, region string) []byte {
	b = append(b, `{"eventVersion":"`+version+`","userIdentity":`...)
	b = append(append(b, who.text...), `,"eventTime":`...)
	b = append(m.appendDate(b, c), op.head...)
	b = appendMember(b, `,"awsRegion":`, region)
	return appendMember(b, `,"sourceIPAddress":`, c.SourceIP)
}

func appendError(b []byte, c *wire.Call) []byte {
	if c.Code == "" {
		return b
	}
	b = appendMember(b, `,"errorCode":`, errorCode(c))
	return appendOptional(b, `,"errorMessage":`, c.Message)
}

func appendIDs(b []byte, c *wire.Call, e *trail.Event) []byte {
	b = appendMember(b, `,"requestID":`, c.ID)
	b = appendMember(b, `,"eventID":`, e.ID)
	return strconv.AppendBool(append(b, `,"readOnly":`...), e.ReadOnly)
}

func appendVia(b []byte, c *wire.Call) []byte {
	if v := via(c); v != nil {
		b = appendOptional(b, `,"vpcEndpointId":`, v.Endpoint)
		b = appendOptional(b, `,"vpcEndpointAccountId":`, v.Account)
	}
	return b
}

func appendTLS(b []byte, c *wire.Call) []byte {
	if c.TLS == nil {
		return b
	}
	b = appendMember(b, `,"tlsDetails":{"tlsVersion":`, strings.ReplaceAll(tls.VersionName(c.TLS.Version), "TLS 1", "TLSv1"))
	b = appendMember(b, `,"cipherSuite":`, tls.CipherSuiteName(c.TLS.CipherSuite))
	return append(appendMember(b, `,"clientProvidedHostHeader":`, c.Host), '}')
}

// end ends the text of an event.
func (m *maker) end(b []byte, e trail.Event) {
	m.text = append(b, '}')
	m.ends, m.events = append(m.ends, len(m.text)), append(m.events, e)
}

func appendMember(b []byte, name, value string) []byte {
	return encode.AppendString(append(b, name...), value)
}

// appendOptional prints a member unless it is empty.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

// appendDate prints when a call began. Most begin in the second of the one before.
func (m *maker) appendDate(b []byte, c *wire.Call) []byte {
	if s := c.Start.Unix(); s != m.second || m.date == nil {
		m.second, m.date = s, encode.AppendString(m.date[:0], date(c.Start))
	}
	return append(b, m.date...)
}

func (m *maker) operation(c *wire.Call) *operation {
	k := [2]string{c.Service, c.Operation}
	op := m.ops[k]
	if op == nil {
		op = &operation{name: c.Operation, source: c.Service + ".amazonaws.com", readOnly: readOnly(c.Service, c.Operation)}
		if name, ok := renamed[k]; ok {
			op.name = name
		}
		op.head = appendMember(nil, `,"eventSource":`, op.source)
		op.head = appendMember(op.head, `,"eventName":`, op.name)
		m.ops[k] = op
	}
	return op
}

// answers reports whether the answer of an operation is in its events.
func answers(service, operation string) bool {
	return !readOnly(service, operation) || service == "sts" && strings.HasPrefix(operation, "Assume")
}

func (m *maker) identity(tx store.Tx, c *wire.Call) (*shown, error) {
	k := person{accessKey: c.AccessKeyID}
	if p, ok := c.Principal.(auth.Caller); ok && !p.Anonymous() {
		k.account, k.arn, k.user, k.by = p.Account, p.ARN, p.UserID, p.By
	} else {
		k.operation = c.Operation
	}
	if who := m.people[k]; who != nil {
		return who, nil
	}
	u, err := caller(tx, c)
	if err != nil {
		return nil, err
	}
	who := &shown{username: u.UserName, arn: u.ARN}
	switch u.Type {
	case "Root":
		who.username = "root"
	case "AssumedRole", "FederatedUser":
		_, who.username, _ = strings.Cut(u.PrincipalID, ":")
	}
	who.text, _ = m.print.append(nil, reflect.ValueOf(u))
	if len(m.people) < keepPeople {
		m.people[k] = who
	}
	return who, nil
}
