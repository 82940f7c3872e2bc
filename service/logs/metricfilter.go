package logs

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables"
)

// Limits of metric filters. Source: CloudWatch Logs quotas.
const (
	maxMetricFilters = 100 // of a log group
	maxDimensions    = 3
)

// PutMetricFilter makes a metric filter of a log group, or replaces it. It holds
// for events that come later.
func (s *Service) PutMetricFilter(ctx context.Context, in *api.PutMetricFilterInput) (*api.PutMetricFilterOutput, error) {
	if err := checkMetricFilter(in); err != nil {
		return nil, err
	}
	t := &in.MetricTransformations[0]
	f := logs.MetricFilter{
		Name: *in.FilterName, Pattern: *in.FilterPattern, CreatedAt: s.deps.Now().UTC(),
		Metric: logs.MetricTransformation{
			Namespace: *t.MetricNamespace, Name: *t.MetricName, Value: *t.MetricValue,
			Default: t.DefaultValue, Unit: member.Or(t.Unit, ""), Dimensions: maps.Clone(t.Dimensions),
		},
	}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, *in.LogGroupName)
		if err != nil {
			return err
		}
		if g.Class != logs.Standard {
			return api.InvalidParameterException("Metric filters are not supported for log groups of the class " + g.Class + ".")
		}
		_, replaced, err := tables.MetricFilters.Find(tx, g.Account, g.Region, g.Name, f.Name)
		if err != nil {
			return err
		}
		if !replaced {
			if g.MetricFilters >= maxMetricFilters {
				return api.LimitExceededException("Resource limit exceeded.")
			}
			g.MetricFilters++
			if err := tables.LogGroups.Put(tx, &g); err != nil {
				return err
			}
		}
		f.Account, f.Region, f.Group = g.Account, g.Region, g.Name
		return tables.MetricFilters.Put(tx, &f)
	})
	return &api.PutMetricFilterOutput{}, err
}

// checkMetricFilter refuses what a metric filter cannot be.
func checkMetricFilter(in *api.PutMetricFilterInput) error {
	if _, err := compile(*in.FilterPattern, "Invalid metric filter pattern"); err != nil {
		return err
	}
	switch {
	case member.Or(in.ApplyOnTransformedLogs, false):
		return api.InvalidParameterException("Log transformation is not supported in this region.")
	case member.Or(in.FieldSelectionCriteria, "") != "" || len(in.EmitSystemFieldDimensions) > 0:
		return api.InvalidParameterException("Filters on system fields are not supported in this region.")
	}
	t := &in.MetricTransformations[0]
	if _, err := strconv.ParseFloat(*t.MetricValue, 64); err != nil && !isSelector(*t.MetricValue) {
		return api.InvalidParameterException("Invalid metric transformation: metricValue must be a number or a field of the filter pattern, not '" + *t.MetricValue + "'")
	}
	switch {
	case len(t.Dimensions) > maxDimensions:
		return api.InvalidParameterException(fmt.Sprintf("Invalid metric transformation: at most %d dimensions are allowed", maxDimensions))
	case len(t.Dimensions) > 0 && t.DefaultValue != nil:
		return api.InvalidParameterException("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	}
	for name, field := range t.Dimensions {
		if name == "" || !isSelector(field) {
			return api.InvalidParameterException("Invalid metric transformation: the value of a dimension must be a field of the filter pattern, not '" + field + "'")
		}
	}
	return nil
}

// isSelector reports whether a text names a field of an event: $name, or a JSON
// selector that a pattern may have.
func isSelector(s string) bool {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok || rest == "" || strings.ContainsAny(rest, " \t\"'&|=<>!{}") {
		return false
	}
	if rest[0] != '.' && rest[0] != '[' {
		return true
	}
	_, err := compile("{ "+s+" = * }", "")
	return err == nil
}

// DescribeMetricFilters lists metric filters by log group and name: those of a
// group, those of a metric, or all.
func (s *Service) DescribeMetricFilters(ctx context.Context, in *api.DescribeMetricFiltersInput) (*api.DescribeMetricFiltersOutput, error) {
	c := auth.CallerFrom(ctx)
	group, prefix := member.Or(in.LogGroupName, ""), member.Or(in.FilterNamePrefix, "")
	switch {
	case (in.MetricName == nil) != (in.MetricNamespace == nil):
		return nil, api.InvalidParameterException("metricName and metricNamespace must be specified together.")
	case in.FilterNamePrefix != nil && in.LogGroupName == nil:
		return nil, api.InvalidParameterException("filterNamePrefix can only be specified with logGroupName.")
	}
	after, scope, err := s.open(c, in.NextToken, "DescribeMetricFilters", group, prefix, member.Or(in.MetricName, ""), member.Or(in.MetricNamespace, ""))
	if err != nil {
		return nil, err
	}
	lastGroup, lastName, _ := strings.Cut(after, "\n")
	within := []string{c.Account, c.Region}
	var start []string
	switch {
	case group != "":
		within = append(within, group)
		start = from(c, []string{group}, prefix, lastName)
	case after != "":
		start = []string{c.Account, c.Region, lastGroup, lastName}
	}
	limit := int(member.Or(in.Limit, defaultLimit))
	out := &api.DescribeMetricFiltersOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		out.MetricFilters, out.NextToken = []api.MetricFilter{}, nil
		if group != "" {
			if _, err := findGroup(ctx, tx, group); err != nil {
				return err
			}
		}
		var last string
		for f, err := range tables.MetricFilters.Page(tx, within, start, 0) {
			switch {
			case err != nil:
				return err
			case f.Name > prefix && !strings.HasPrefix(f.Name, prefix) && group != "":
				return nil
			case !strings.HasPrefix(f.Name, prefix),
				in.MetricName != nil && (f.Metric.Name != *in.MetricName || f.Metric.Namespace != *in.MetricNamespace):
				continue
			case len(out.MetricFilters) == limit:
				out.NextToken = new(s.pages.Seal(last, scope...))
				return nil
			}
			out.MetricFilters = append(out.MetricFilters, describeMetricFilter(&f))
			last = f.Group + "\n" + f.Name
		}
		return nil
	})
	return out, err
}

func describeMetricFilter(f *logs.MetricFilter) api.MetricFilter {
	t := api.MetricTransformation{
		MetricName: &f.Metric.Name, MetricNamespace: &f.Metric.Namespace, MetricValue: &f.Metric.Value,
		DefaultValue: f.Metric.Default, Dimensions: f.Metric.Dimensions,
	}
	if f.Metric.Unit != "" {
		t.Unit = &f.Metric.Unit
	}
	return api.MetricFilter{
		FilterName: &f.Name, FilterPattern: &f.Pattern, LogGroupName: &f.Group, CreationTime: new(f.CreatedAt.UnixMilli()),
		MetricTransformations: []api.MetricTransformation{t}, ApplyOnTransformedLogs: new(false),
	}
}

// DeleteMetricFilter deletes a metric filter.
func (s *Service) DeleteMetricFilter(ctx context.Context, in *api.DeleteMetricFilterInput) (*api.DeleteMetricFilterOutput, error) {
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, *in.LogGroupName)
		if err != nil {
			return err
		}
		_, ok, err := tables.MetricFilters.Find(tx, g.Account, g.Region, g.Name, *in.FilterName)
		if err != nil {
			return err
		}
		if !ok {
			return api.ResourceNotFoundException("The specified metric filter does not exist.")
		}
		g.MetricFilters--
		if err := tables.LogGroups.Put(tx, &g); err != nil {
			return err
		}
		return tables.MetricFilters.Delete(tx, g.Account, g.Region, g.Name, *in.FilterName)
	})
	return &api.DeleteMetricFilterOutput{}, err
}
