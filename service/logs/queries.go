package logs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strconv"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/service/logs/insights"
	"neargate/service/logs/insights/expr"
	"neargate/service/logs/query"
	"neargate/store"
	"neargate/store/tables"
)

// maxQueried is how many log groups a query may search.
const maxQueried = 50

// languageCWLI is the only language of queries here.
const languageCWLI = "CWLI"

// RunQueries runs the queries that StartQuery accepts, one at a time, until ctx
// ends. The daemon calls it in as many goroutines as queries may run at a time.
func (s *Service) RunQueries(ctx context.Context, log *slog.Logger) error {
	return s.queries.Run(ctx, log)
}

// StartQuery compiles a query and has it run soon. Queries and their results are
// kept in memory: they end with the process.
func (s *Service) StartQuery(ctx context.Context, in *api.StartQueryInput) (*api.StartQueryOutput, error) {
	c := auth.CallerFrom(ctx)
	names, err := queriedGroups(c, in)
	if err != nil {
		return nil, err
	}
	if l := member.Or(in.QueryLanguage, languageCWLI); l != languageCWLI {
		return nil, api.InvalidParameterException("Query language " + l + " is not supported in this region.")
	}
	start, end := atSeconds(*in.StartTime, 0), atSeconds(*in.EndTime, 1)
	if start > end {
		return nil, api.InvalidParameterException("The start time of the query must not be after its end time.")
	}
	q, err := insights.Compile(*in.QueryString)
	if err != nil {
		return nil, malformed(*in.QueryString, err)
	}
	groups, err := s.findQueried(ctx, c, names)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	if !slices.ContainsFunc(groups, func(g logs.Group) bool { return end > g.CreatedAt.UnixMilli() && end > g.Oldest(now) }) {
		return nil, api.MalformedQueryException("Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings.")
	}
	id := s.deps.IDs.UUID()
	span := logs.Span{From: logs.Position{Time: start}, To: logs.Position{Time: end}}
	err = s.queries.Start(query.Spec{
		ID: id, Account: c.Account, Region: c.Region, Groups: names, Text: *in.QueryString,
		Query: q, Limit: int(member.Or(in.Limit, 0)), Created: now,
		Events: func(ctx context.Context) iter.Seq2[insights.Event, error] { return s.queried(ctx, groups, span) },
	})
	switch {
	case errors.Is(err, query.ErrTooMany):
		return nil, api.LimitExceededException(fmt.Sprintf("Account maximum query concurrency limit of [%d] reached.", query.MaxConcurrent))
	case errors.Is(err, query.ErrBusy):
		return nil, api.ServiceUnavailableException("The service cannot complete the request.")
	}
	return &api.StartQueryOutput{QueryId: &id}, err
}

// queriedGroups are the names of the log groups of a request, which gives them
// in one of three ways.
func queriedGroups(c auth.Caller, in *api.StartQueryInput) ([]string, error) {
	given, names := 0, []string(nil)
	if in.LogGroupName != nil {
		given, names = given+1, []string{*in.LogGroupName}
	}
	if in.LogGroupNames != nil {
		given, names = given+1, in.LogGroupNames
	}
	if in.LogGroupIdentifiers != nil {
		given, names = given+1, nil
		for _, id := range in.LogGroupIdentifiers {
			name, err := groupName(c, id)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	switch {
	case given != 1 || len(names) == 0:
		return nil, api.InvalidParameterException("Exactly one of logGroupName, logGroupNames or logGroupIdentifiers must be specified.")
	case len(names) > maxQueried:
		return nil, api.InvalidParameterException(fmt.Sprintf("The number of log groups must not exceed %d.", maxQueried))
	}
	return names, nil
}

// atSeconds is a time of a query, in seconds or, if it can only be that, in
// milliseconds, with some seconds added, as milliseconds.
func atSeconds(t, more int64) int64 {
	const firstMillis = 1e11 // the year 5138 in seconds, 1973 in milliseconds
	if t >= firstMillis {
		return min(t, math.MaxInt64-1) + more
	}
	return (t + more) * 1000
}

func (s *Service) findQueried(ctx context.Context, c auth.Caller, names []string) (groups []logs.Group, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		groups = groups[:0]
		for _, name := range names {
			g, ok, err := tables.LogGroups.Find(tx, c.Account, c.Region, name)
			if err != nil {
				return err
			}
			if !ok {
				return api.ResourceNotFoundException(fmt.Sprintf("Log group '%s' does not exist for account ID '%s'", name, c.Account))
			}
			groups = append(groups, g)
		}
		return nil
	})
	return groups, err
}

// malformed says where a query is wrong.
func malformed(text string, err error) error {
	e, ok := errors.AsType[*expr.Error](err)
	if !ok {
		return err
	}
	line, position := 1, 1
	for i, r := range []rune(text) {
		if i == e.Start {
			break
		}
		if position++; r == '\n' {
			line, position = line+1, 1
		}
	}
	message := fmt.Sprintf("%s at line %d and position %d", e.Message, line, position)
	return api.MalformedQueryException(message).With("queryCompileError", map[string]any{
		"message": message, "location": map[string]int{"startCharOffset": e.Start, "endCharOffset": e.End},
	})
}

// queried yields the events of groups in a span, latest first, without those
// that a group no longer retains. Groups that are deleted meanwhile yield none.
func (s *Service) queried(ctx context.Context, groups []logs.Group, span logs.Span) iter.Seq2[insights.Event, error] {
	return func(yield func(insights.Event, error) bool) {
		from, err := s.sources(ctx, groups)
		if err != nil {
			yield(insights.Event{}, err)
			return
		}
		ids := make([]logs.StreamID, 0, len(from))
		for id := range from {
			ids = append(ids, id)
		}
		for e, err := range s.events.Scan(ctx, ids, span, true) {
			src := from[e.Stream]
			if err == nil && e.At.Time < src.oldest {
				continue
			}
			if !yield(insights.Event{Event: e, Log: src.log, StreamName: src.stream}, err) {
				return
			}
		}
	}
}

// source is where events of a stream are from.
type source struct {
	log, stream string
	oldest      int64 // that the group retains
}

func (s *Service) sources(ctx context.Context, groups []logs.Group) (map[logs.StreamID]source, error) {
	now := s.deps.Now()
	from := map[logs.StreamID]source{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		clear(from)
		for _, g := range groups {
			for st, err := range tables.LogStreams.List(tx, g.Account, g.Region, g.Name) {
				if err != nil {
					return err
				}
				if st.ID.Group == g.ID {
					from[st.ID] = source{g.Account + ":" + g.Name, st.Name, g.Oldest(now)}
				}
			}
		}
		return nil
	})
	return from, err
}

func noQuery(id string) error {
	return api.ResourceNotFoundException("Query with id " + id + " does not exist.")
}

// GetQueryResults answers what a query has found: all of it, or pages of
// maxItems rows. The results of a query that runs may be partial.
func (s *Service) GetQueryResults(ctx context.Context, in *api.GetQueryResultsInput) (*api.GetQueryResultsOutput, error) {
	c := auth.CallerFrom(ctx)
	q, err := s.queries.Get(c.Account, c.Region, *in.QueryId)
	if err != nil {
		return nil, noQuery(*in.QueryId)
	}
	limit := int(member.Or(in.MaxItems, 0))
	if in.MaxItems != nil && (limit < 1 || limit > insights.MaxRows) {
		return nil, api.InvalidParameterException(fmt.Sprintf("maxItems must be between 1 and %d.", insights.MaxRows))
	}
	position, scope, err := s.open(c, in.NextToken, "GetQueryResults", q.ID)
	if err != nil {
		return nil, err
	}
	skip, _ := strconv.Atoi(position)
	rows := q.Rows[min(skip, len(q.Rows)):]
	out := &api.GetQueryResultsOutput{
		QueryLanguage: new(languageCWLI), Status: new(string(q.Status)), Results: [][]api.ResultField{}, Statistics: statistics(&q),
	}
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
		out.NextToken = new(s.pages.Seal(strconv.Itoa(skip+limit), scope...))
	}
	for i := range rows {
		out.Results = append(out.Results, s.resultRow(c, &rows[i]))
	}
	return out, nil
}

func statistics(q *query.State) *api.QueryStatistics {
	return &api.QueryStatistics{
		RecordsMatched: new(float64(q.Statistics.Matched)), RecordsScanned: new(float64(q.Statistics.Scanned)),
		BytesScanned: new(float64(q.Statistics.Bytes)), EstimatedRecordsSkipped: new(0.0), EstimatedBytesSkipped: new(0.0),
		LogGroupsScanned: new(float64(len(q.Groups))),
	}
}

// resultRow is a row of results; one that is an event has a pointer to it.
func (s *Service) resultRow(c auth.Caller, r *insights.Row) []api.ResultField {
	row := []api.ResultField{}
	for i := range r.Fields {
		f := &r.Fields[i]
		row = append(row, api.ResultField{Field: &f.Name, Value: &f.Value})
	}
	if r.Event != nil {
		row = append(row, api.ResultField{Field: new("@ptr"), Value: new(s.pointer(c, r.Event))})
	}
	return row
}

// StopQuery cancels a query.
func (s *Service) StopQuery(ctx context.Context, in *api.StopQueryInput) (*api.StopQueryOutput, error) {
	c := auth.CallerFrom(ctx)
	err := s.queries.Stop(c.Account, c.Region, *in.QueryId)
	switch {
	case errors.Is(err, query.ErrUnknown):
		return nil, noQuery(*in.QueryId)
	case errors.Is(err, query.ErrNotRunning):
		return nil, api.InvalidParameterException("The specified query is not running.")
	}
	return &api.StopQueryOutput{Success: new(true)}, err
}

// maxListed is the largest page of queries and of query definitions, and the
// usual one.
const maxListed = 1000

// DescribeQueries lists queries, the latest first.
func (s *Service) DescribeQueries(ctx context.Context, in *api.DescribeQueriesInput) (*api.DescribeQueriesOutput, error) {
	c := auth.CallerFrom(ctx)
	after, scope, err := s.open(c, in.NextToken, "DescribeQueries", member.Or(in.LogGroupName, ""), member.Or(in.Status, ""), member.Or(in.QueryLanguage, ""))
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(s.queries.List(c.Account, c.Region), func(q query.State) bool {
		return in.LogGroupName != nil && !slices.Contains(q.Groups, *in.LogGroupName) ||
			in.Status != nil && *in.Status != string(q.Status) || in.QueryLanguage != nil && *in.QueryLanguage != languageCWLI
	})
	if after != "" {
		// The query of the position may be forgotten, and then all older ones are.
		i := slices.IndexFunc(all, func(q query.State) bool { return q.ID == after })
		if i < 0 {
			i = len(all) - 1
		}
		all = all[i+1:]
	}
	out := &api.DescribeQueriesOutput{Queries: []api.QueryInfo{}}
	if limit := int(member.Or(in.MaxResults, maxListed)); len(all) > limit {
		all = all[:limit]
		out.NextToken = new(s.pages.Seal(all[limit-1].ID, scope...))
	}
	for _, q := range all {
		out.Queries = append(out.Queries, api.QueryInfo{
			QueryId: new(q.ID), QueryString: new(q.Text), QueryLanguage: new(languageCWLI), Status: new(string(q.Status)),
			CreateTime: new(q.Created.UnixMilli()), LogGroupName: new(q.Groups[0]),
			QueryDuration: new(q.Took.Milliseconds()), BytesScanned: new(float64(q.Statistics.Bytes)),
		})
	}
	return out, nil
}
