package cloudtrail

import (
	"context"
	"slices"

	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service/internal/member"
	"neargate/store"
)

// Bounds of selectors. Source: Quotas in AWS CloudTrail.
const (
	maxSelectors = 5
	maxAdvanced  = 500 // conditions in all
)

func invalidSelector(why string) error { return api.InvalidEventSelectorsException(why) }

// PutEventSelectors says which management events a trail logs. Data events are not
// recorded here, so that selectors of them are refused.
func (s *Service) PutEventSelectors(ctx context.Context, in *api.PutEventSelectorsInput) (*api.PutEventSelectorsOutput, error) {
	var selectors []trail.Selector
	var err error
	switch {
	case len(in.EventSelectors) > 0 && len(in.AdvancedEventSelectors) > 0:
		return nil, invalidSelector("Event selectors and advanced event selectors cannot be used for the same trail.")
	case len(in.EventSelectors) > maxSelectors:
		return nil, invalidSelector("The number of event selectors exceeds the limit of 5.")
	case len(in.EventSelectors) > 0:
		selectors, err = basic(in.EventSelectors)
	case len(in.AdvancedEventSelectors) > 0:
		selectors, err = advanced(in.AdvancedEventSelectors)
	default:
		return nil, invalidSelector("Specify event selectors or advanced event selectors.")
	}
	if err != nil {
		return nil, err
	}
	t, err := s.change(ctx, *in.TrailName, func(_ store.Tx, t *trail.Trail) error {
		t.Selectors, t.Custom = selectors, true
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.PutEventSelectorsOutput{TrailARN: new(t.ARN())}
	out.EventSelectors, out.AdvancedEventSelectors = shownSelectors(t.Selectors)
	return out, nil
}

// GetEventSelectors shows which events a trail logs.
func (s *Service) GetEventSelectors(ctx context.Context, in *api.GetEventSelectorsInput) (*api.GetEventSelectorsOutput, error) {
	t, err := s.view(ctx, *in.TrailName)
	if err != nil {
		return nil, err
	}
	out := &api.GetEventSelectorsOutput{TrailARN: new(t.ARN())}
	out.EventSelectors, out.AdvancedEventSelectors = shownSelectors(t.Selectors)
	return out, nil
}

// GetInsightSelectors answers that a trail has none.
func (s *Service) GetInsightSelectors(ctx context.Context, in *api.GetInsightSelectorsInput) (*api.GetInsightSelectorsOutput, error) {
	if in.TrailName == nil {
		return nil, api.InvalidParameterCombinationException("Specify a trail: there are no event data stores.")
	}
	t, err := s.view(ctx, *in.TrailName)
	if err != nil {
		return nil, err
	}
	return nil, api.InsightNotEnabledException("Trail " + t.ARN() + " does not have Insights enabled. Edit the trail settings to enable Insights, and then try the operation again.")
}

func basic(in []api.EventSelector) (out []trail.Selector, err error) {
	some := false
	for _, e := range in {
		if len(e.DataResources) > 0 {
			return nil, api.UnsupportedOperationException("Data events are not recorded here: leave DataResources empty.")
		}
		for _, source := range e.ExcludeManagementEventSources {
			if source != "kms.amazonaws.com" && source != "rdsdata.amazonaws.com" {
				return nil, invalidSelector("Value " + source + " for ExcludeManagementEventSources is invalid. Valid values: kms.amazonaws.com, rdsdata.amazonaws.com.")
			}
		}
		s := trail.Selector{ReadWrite: member.Or(e.ReadWriteType, "All"), None: !member.Or(e.IncludeManagementEvents, true), Exclude: e.ExcludeManagementEventSources}
		some = some || !s.None
		out = append(out, s)
	}
	if !some {
		return nil, invalidSelector("Event selectors must include management events or data resources.")
	}
	return out, nil
}

func advanced(in []api.AdvancedEventSelector) (out []trail.Selector, err error) {
	conditions := 0
	for _, e := range in {
		s := trail.Selector{Advanced: true, Name: member.Or(e.Name, "")}
		category := ""
		for _, f := range e.FieldSelectors {
			field := trail.Field{Name: *f.Field, Equals: f.Equals, StartsWith: f.StartsWith, EndsWith: f.EndsWith,
				NotEquals: f.NotEquals, NotStarts: f.NotStartsWith, NotEnds: f.NotEndsWith}
			all := slices.Concat(f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith)
			conditions += len(all)
			only := len(f.Equals) == 1 && len(all) == 1
			switch {
			case len(all) == 0:
				return nil, invalidSelector("Field " + field.Name + " has no operator.")
			case slices.ContainsFunc(s.Fields, func(o trail.Field) bool { return o.Name == field.Name }):
				return nil, invalidSelector("Field " + field.Name + " is given more than once.")
			case field.Name == "eventCategory" && only:
				category = f.Equals[0]
			case field.Name == "eventCategory", field.Name == "readOnly" && !(only && (f.Equals[0] == "true" || f.Equals[0] == "false")):
				return nil, invalidSelector("Field " + field.Name + " can only be compared with Equals to one of its values.")
			case category == "Data", category == "NetworkActivity", slices.Contains(trail.FieldNames(), field.Name):
			default:
				return nil, invalidSelector("Field " + field.Name + " is not supported for management events.")
			}
			s.Fields = append(s.Fields, field)
		}
		switch category {
		case "Management":
		case "Data", "NetworkActivity":
			return nil, api.UnsupportedOperationException(category + " events are not recorded here.")
		default:
			return nil, invalidSelector("Each advanced event selector must have an eventCategory of Management, Data or NetworkActivity.")
		}
		out = append(out, s)
	}
	if conditions > maxAdvanced {
		return nil, invalidSelector("The number of conditions in advanced event selectors exceeds the limit of 500.")
	}
	return out, nil
}

func shownSelectors(all []trail.Selector) (basic []api.EventSelector, advanced []api.AdvancedEventSelector) {
	for _, s := range all {
		if !s.Advanced {
			basic = append(basic, api.EventSelector{
				ReadWriteType: &s.ReadWrite, IncludeManagementEvents: new(!s.None), DataResources: []api.DataResource{},
				ExcludeManagementEventSources: append([]string{}, s.Exclude...),
			})
			continue
		}
		v := api.AdvancedEventSelector{}
		if s.Name != "" {
			v.Name = &s.Name
		}
		for _, f := range s.Fields {
			v.FieldSelectors = append(v.FieldSelectors, api.AdvancedFieldSelector{Field: &f.Name, Equals: f.Equals, StartsWith: f.StartsWith, EndsWith: f.EndsWith,
				NotEquals: f.NotEquals, NotStartsWith: f.NotStarts, NotEndsWith: f.NotEnds})
		}
		advanced = append(advanced, v)
	}
	return basic, advanced
}
