// Package logs answers Amazon CloudWatch Logs: log groups, log streams and log
// events.
package logs

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service"
	"neargate/service/internal/member"
	"neargate/service/internal/page"
	"neargate/service/logs/export"
	"neargate/service/logs/query"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Events is where log events are kept.
type Events interface {
	// Append adds records, in ascending order of time, to a stream; they are
	// durable, and found by Scan, when it returns.
	Append(id logs.StreamID, now time.Time, records []logs.Record) error
	// Scan yields the events of streams in a span, in the order of their
	// positions over all streams, or in reverse.
	Scan(ctx context.Context, ids []logs.StreamID, span logs.Span, backward bool) iter.Seq2[logs.Event, error]
	// Stats sums up the streams of a group that ever held an event.
	Stats(group uint64) (map[uint64]logs.Stat, error)
	// Follow yields what is appended to the groups that want names, from its
	// call on, every period, and earlier when there is much. It ends with ctx.
	Follow(ctx context.Context, period time.Duration, want func(group uint64) bool) iter.Seq[logs.Batch]
	// DropStream and DropGroup delete events.
	DropStream(id logs.StreamID) error
	DropGroup(group uint64) error
	// Settle records the last usage of a group, in the transaction that deletes it.
	Settle(tx store.Tx, g *logs.Group, at time.Time) error
}

// Service is the CloudWatch Logs API.
type Service struct {
	deps    service.Deps
	events  Events
	pages   *page.Sealer
	queries *query.Runner
	tails   sessions
	*export.Exporter
}

var _ api.API = (*Service)(nil)

// New returns the CloudWatch Logs API over the log events in e, which are exported
// to the buckets in b.
func New(d service.Deps, e Events, b export.Buckets) *Service {
	return &Service{deps: d, events: e, pages: page.NewSealer(d.TokenKey), queries: query.New(d.Now), Exporter: export.New(d, e, b)}
}

// id mints the id of a group or a stream.
func (s *Service) id() (uint64, error) { return strconv.ParseUint(s.deps.IDs.Hex(16), 16, 64) }

// defaultLimit is the page size of a request that names none, and the largest.
const defaultLimit = 50

// maxTags is how many tags a log group may have.
const maxTags = 50

// retentionDays are the retention periods that may be chosen.
var retentionDays = []int32{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

func noGroup() error {
	return api.ResourceNotFoundException("The specified log group does not exist.")
}

func findGroup(ctx context.Context, tx store.Tx, name string) (logs.Group, error) {
	c := auth.CallerFrom(ctx)
	g, ok, err := tables.LogGroups.Find(tx, c.Account, c.Region, name)
	if err == nil && !ok {
		err = noGroup()
	}
	return g, err
}

// changeGroup lets f change a log group and stores it.
func (s *Service) changeGroup(ctx context.Context, name string, f func(*logs.Group) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := f(&g); err != nil {
			return err
		}
		return tables.LogGroups.Put(tx, &g)
	})
}

// CreateLogGroup makes a log group.
func (s *Service) CreateLogGroup(ctx context.Context, in *api.CreateLogGroupInput) (*api.CreateLogGroupOutput, error) {
	c := auth.CallerFrom(ctx)
	g := logs.Group{
		Account: c.Account, Region: c.Region, Name: *in.LogGroupName, CreatedAt: s.deps.Now().UTC(), Class: logs.Standard,
	}
	if in.LogGroupClass != nil {
		g.Class = *in.LogGroupClass
	}
	if err := checkGroup(in, &g); err != nil {
		return nil, err
	}
	var err error
	if g.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if g.ID, err = s.id(); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := tables.LogGroups.Find(tx, g.Account, g.Region, g.Name)
		if err != nil {
			return err
		}
		if ok {
			return api.ResourceAlreadyExistsException("The specified log group already exists")
		}
		return tables.LogGroups.Put(tx, &g)
	})
	return &api.CreateLogGroupOutput{}, err
}

// checkGroup refuses what a log group cannot have: a KMS key, as there are none,
// a class that only delivers elsewhere, and deletion protection, which no
// operation could take off again.
func checkGroup(in *api.CreateLogGroupInput, g *logs.Group) error {
	switch {
	case in.KmsKeyId != nil && *in.KmsKeyId != "":
		return shape.Errorf("AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn '%s'", g.ARN())
	case g.Class != logs.Standard && g.Class != logs.InfrequentAccess:
		return api.InvalidParameterException("Log group class " + g.Class + " is not supported in this region.")
	case in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled:
		return api.InvalidParameterException("Deletion protection is not supported in this region.")
	}
	return nil
}

// deleteBatch bounds how many streams one transaction deletes.
const deleteBatch = 40

// DeleteLogGroup deletes a log group with its streams and metric filters, in
// batches: the group goes with the last of them, and then its events.
func (s *Service) DeleteLogGroup(ctx context.Context, in *api.DeleteLogGroupInput) (*api.DeleteLogGroupOutput, error) {
	var g logs.Group
	for more := true; more; {
		err := s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
			if g, err = findGroup(ctx, tx, *in.LogGroupName); err != nil {
				return err
			}
			n, err := deleteParts(tx, &g)
			if err != nil {
				return err
			}
			if more = n == deleteBatch; more {
				return tables.LogGroups.Put(tx, &g)
			}
			if err := s.events.Settle(tx, &g, s.deps.Now()); err != nil {
				return err
			}
			return tables.LogGroups.Delete(tx, g.Account, g.Region, g.Name)
		})
		if err != nil {
			return nil, err
		}
	}
	return &api.DeleteLogGroupOutput{}, s.events.DropGroup(g.ID)
}

// deleteParts deletes at most a batch of a group's streams and metric filters.
func deleteParts(tx store.Tx, g *logs.Group) (int, error) {
	of := []string{g.Account, g.Region, g.Name}
	streams, err := store.Collect(tables.LogStreams.Page(tx, of, nil, deleteBatch))
	if err != nil {
		return 0, err
	}
	for _, st := range streams {
		if err := tables.LogStreams.Delete(tx, st.Account, st.Region, st.Group, st.Name); err != nil {
			return 0, err
		}
	}
	n := len(streams)
	if n == deleteBatch {
		return n, nil
	}
	filters, err := store.Collect(tables.MetricFilters.Page(tx, of, nil, deleteBatch-n))
	if err != nil {
		return 0, err
	}
	for _, f := range filters {
		if err := tables.MetricFilters.Delete(tx, f.Account, f.Region, f.Group, f.Name); err != nil {
			return 0, err
		}
	}
	g.MetricFilters -= int32(len(filters))
	return n + len(filters), nil
}

// PutRetentionPolicy sets after how many days events of a group expire.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *api.PutRetentionPolicyInput) (*api.PutRetentionPolicyOutput, error) {
	if !slices.Contains(retentionDays, *in.RetentionInDays) {
		return nil, api.InvalidParameterException("Invalid retention value. Valid values are: " + list(retentionDays))
	}
	err := s.changeGroup(ctx, *in.LogGroupName, func(g *logs.Group) error {
		g.RetentionDays = *in.RetentionInDays
		return nil
	})
	return &api.PutRetentionPolicyOutput{}, err
}

// DeleteRetentionPolicy makes the events of a group last for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *api.DeleteRetentionPolicyInput) (*api.DeleteRetentionPolicyOutput, error) {
	err := s.changeGroup(ctx, *in.LogGroupName, func(g *logs.Group) error {
		g.RetentionDays = 0
		return nil
	})
	return &api.DeleteRetentionPolicyOutput{}, err
}

// DescribeLogGroups lists log groups by name.
func (s *Service) DescribeLogGroups(ctx context.Context, in *api.DescribeLogGroupsInput) (*api.DescribeLogGroupsOutput, error) {
	c := auth.CallerFrom(ctx)
	f, err := newGroupFilter(in, c)
	if err != nil {
		return nil, err
	}
	after, scope, err := s.open(c, in.NextToken, append([]string{"DescribeLogGroups"}, f.scope()...)...)
	if err != nil {
		return nil, err
	}
	limit := member.Or(in.Limit, defaultLimit)
	out := &api.DescribeLogGroupsOutput{LogGroups: []api.LogGroup{}}
	var found []logs.Group
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		found, out.NextToken = found[:0], nil
		for g, err := range tables.LogGroups.Page(tx, []string{c.Account, c.Region}, from(c, nil, f.prefix, after), 0) {
			if err != nil {
				return err
			}
			if f.beyond(g.Name) {
				return nil
			}
			if !f.match(&g) {
				continue
			}
			if len(found) == int(limit) {
				out.NextToken = new(s.pages.Seal(found[limit-1].Name, scope...))
				return nil
			}
			found = append(found, g)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, g := range found {
		stats, err := s.events.Stats(g.ID)
		if err != nil {
			return nil, err
		}
		out.LogGroups = append(out.LogGroups, describeGroup(&g, stats))
	}
	return out, nil
}

// groupFilter is what DescribeLogGroups selects by.
type groupFilter struct {
	prefix, pattern, class string
	names                  []string // nil: all
	none                   bool     // only other accounts are asked for
}

func newGroupFilter(in *api.DescribeLogGroupsInput, c auth.Caller) (groupFilter, error) {
	f := groupFilter{
		prefix: member.Or(in.LogGroupNamePrefix, ""), pattern: member.Or(in.LogGroupNamePattern, ""), class: member.Or(in.LogGroupClass, ""),
		none: len(in.AccountIdentifiers) > 0 && !slices.Contains(in.AccountIdentifiers, c.Account),
	}
	if f.prefix != "" && f.pattern != "" {
		return f, api.InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	if in.LogGroupIdentifiers != nil && (f.prefix != "" || f.pattern != "") {
		return f, api.InvalidParameterException("LogGroup identifiers cannot be combined with a LogGroup name prefix or pattern.")
	}
	for _, id := range in.LogGroupIdentifiers {
		name, err := groupName(c, id)
		if err != nil {
			return f, err
		}
		f.names = append(f.names, name)
	}
	return f, nil
}

// scope is what must stay the same from page to page.
func (f *groupFilter) scope() []string {
	return append([]string{f.prefix, f.pattern, f.class}, f.names...)
}

// beyond reports whether no later name can match.
func (f *groupFilter) beyond(name string) bool {
	return f.none || name > f.prefix && !strings.HasPrefix(name, f.prefix)
}

func (f *groupFilter) match(g *logs.Group) bool {
	return strings.HasPrefix(g.Name, f.prefix) && strings.Contains(g.Name, f.pattern) &&
		(f.class == "" || f.class == g.Class) && (f.names == nil || slices.Contains(f.names, g.Name))
}

// groupName reads a log group given by name or ARN.
func groupName(c auth.Caller, id string) (string, error) {
	if !strings.HasPrefix(id, "arn:") {
		return id, nil
	}
	name, ok := logs.GroupName(id, c.Account, c.Region)
	if !ok {
		return "", noGroup()
	}
	return name, nil
}

// describeGroup describes a group; its stored bytes are those of its events,
// uncompressed, as their size counts when they are put.
func describeGroup(g *logs.Group, stats map[uint64]logs.Stat) api.LogGroup {
	var stored int64
	for _, st := range stats {
		stored += st.Bytes
	}
	v := api.LogGroup{
		LogGroupName: &g.Name, CreationTime: new(g.CreatedAt.UnixMilli()), MetricFilterCount: &g.MetricFilters,
		Arn: new(g.ARN() + ":*"), LogGroupArn: new(g.ARN()), StoredBytes: &stored, LogGroupClass: &g.Class,
		DeletionProtectionEnabled: new(false), BearerTokenAuthenticationEnabled: new(false),
	}
	if g.RetentionDays != 0 {
		v.RetentionInDays = &g.RetentionDays
	}
	return v
}

// open returns the position in a pagination token and the scope to seal the
// next one with.
func (s *Service) open(c auth.Caller, token *string, scope ...string) (string, []string, error) {
	scope = append([]string{"logs", c.Account, c.Region}, scope...)
	if token == nil {
		return "", scope, nil
	}
	position, err := s.pages.Open(*token, scope...)
	if errors.Is(err, page.ErrBad) {
		err = api.InvalidParameterException("The specified nextToken is invalid.")
	}
	return position, scope, err
}

// from is the key to list after: the last name of the page before or, on the
// first page, one just below the first name with the prefix. Nil starts at the
// beginning. The segments come between region and name.
func from(c auth.Caller, segments []string, prefix, last string) []string {
	if last == "" && prefix != "" {
		end := len(prefix) - 1
		last = prefix[:end] + string([]byte{prefix[end] - 1, 0xff, 0xff, 0xff, 0xff})
	}
	if last == "" {
		return nil
	}
	return append(append([]string{c.Account, c.Region}, segments...), last)
}
