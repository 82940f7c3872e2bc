package cloudtrail

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "neargate/aws/cloudtrail"
	"neargate/resource/objects"
	"neargate/resource/trail"
	"neargate/service/internal/member"
	"neargate/store"
)

// Bounds of selectors. Source: Quotas in AWS CloudTrail.
const (
	maxSelectors = 5
	maxAdvanced  = 500 // conditions in all
	maxValues    = 250 // of data resources, in all
)

func invalidSelector(why string) error { return api.InvalidEventSelectorsException(why) }

// PutEventSelectors says which events a trail logs.
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
		t.Choose(selectors, s.deps.Now().UTC())
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
	some, values := false, 0
	for _, e := range in {
		for _, source := range e.ExcludeManagementEventSources {
			if source != "kms.amazonaws.com" && source != "rdsdata.amazonaws.com" {
				return nil, invalidSelector("Value " + source + " for ExcludeManagementEventSources is invalid. Valid values: kms.amazonaws.com, rdsdata.amazonaws.com.")
			}
		}
		s := trail.Selector{ReadWrite: member.Or(e.ReadWriteType, "All"), None: !member.Or(e.IncludeManagementEvents, true), Exclude: e.ExcludeManagementEventSources}
		for _, d := range e.DataResources {
			r, err := dataResource(d)
			if err != nil {
				return nil, err
			}
			values += len(r.Values)
			s.Data = append(s.Data, r)
		}
		some = some || !s.None || len(s.Data) > 0
		out = append(out, s)
	}
	switch {
	case values > maxValues:
		return nil, invalidSelector("Specify a valid number of DataResources.Values (0 to 250) for all your selectors.")
	case !some:
		return nil, invalidSelector("Event selectors must include management events or data resources.")
	}
	return out, nil
}

// basicTypes are the types of resources that basic event selectors can name, and the service
// in the ARNs of their values.
var basicTypes = map[string]string{"AWS::S3::Object": "s3", "AWS::Lambda::Function": "lambda", "AWS::DynamoDB::Table": "dynamodb"}

// dataResource checks a data resource of a basic event selector.
func dataResource(d api.DataResource) (trail.DataResource, error) {
	r := trail.DataResource{Type: member.Or(d.Type, ""), Values: d.Values}
	service, ok := basicTypes[r.Type]
	if !ok {
		return r, invalidSelector("Value " + r.Type + " for DataResources.Type is invalid.")
	}
	for _, v := range d.Values {
		if !validValue(service, v) {
			return r, invalidSelector("Value " + v + " for DataResources.Values is invalid.")
		}
	}
	return r, nil
}

// validValue reports whether a value names all resources of a service, arn:aws:s3 or
// arn:aws:s3:::, or some: of Amazon S3 those in a bucket, whose name a slash ends.
func validValue(service, v string) bool {
	rest, ok := strings.CutPrefix(v, "arn:")
	partition, rest, more := strings.Cut(rest, ":")
	if !ok || !more || partition != "aws" && partition != "aws-cn" && partition != "aws-us-gov" {
		return false
	}
	if rest == service {
		return true
	}
	if rest, ok = strings.CutPrefix(rest, service+":"); !ok {
		return false
	}
	if service != "s3" {
		return strings.Count(rest, ":") >= 2 && !strings.Contains(rest, "*")
	}
	bucket, _, slash := strings.Cut(strings.TrimPrefix(rest, "::"), "/")
	return rest == "::" || strings.HasPrefix(rest, "::") && slash && objects.ValidBucketName(bucket)
}

func advanced(in []api.AdvancedEventSelector) (out []trail.Selector, err error) {
	conditions := 0
	for _, e := range in {
		s := trail.Selector{Advanced: true, Name: member.Or(e.Name, "")}
		for _, f := range e.FieldSelectors {
			field := trail.Field{Name: *f.Field, Equals: f.Equals, StartsWith: f.StartsWith, EndsWith: f.EndsWith,
				NotEquals: f.NotEquals, NotStarts: f.NotStartsWith, NotEnds: f.NotEndsWith}
			if slices.ContainsFunc(s.Fields, func(o trail.Field) bool { return o.Name == field.Name }) {
				return nil, invalidSelector("Field " + field.Name + " is given more than once.")
			}
			conditions += len(f.Equals) + len(f.StartsWith) + len(f.EndsWith) + len(f.NotEquals) + len(f.NotStartsWith) + len(f.NotEndsWith)
			s.Fields = append(s.Fields, field)
		}
		if err := checkAdvanced(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if conditions > maxAdvanced {
		return nil, invalidSelector("The number of conditions in advanced event selectors exceeds the limit of 500.")
	}
	return out, nil
}

// checkAdvanced refuses an advanced event selector whose fields do not fit its category.
func checkAdvanced(s *trail.Selector) error {
	category, kind := s.Category(), ""
	switch category {
	case trail.CategoryManagement, trail.CategoryData:
	case "NetworkActivity":
		return api.UnsupportedOperationException("Network activity events are not recorded here.")
	default:
		return invalidSelector("Each advanced event selector must have an eventCategory of Management, Data or NetworkActivity.")
	}
	for _, f := range s.Fields {
		all := slices.Concat(f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStarts, f.NotEnds)
		only := len(f.Equals) == 1 && len(all) == 1
		switch {
		case len(all) == 0:
			return invalidSelector("Field " + f.Name + " has no operator.")
		case !slices.Contains(trail.FieldNames(category), f.Name):
			return invalidSelector("Field " + f.Name + " is not supported for " + strings.ToLower(category) + " events.")
		case f.Name == "eventCategory" && !only,
			f.Name == "resources.type" && !only,
			f.Name == "readOnly" && !(only && (f.Equals[0] == "true" || f.Equals[0] == "false")):
			return invalidSelector("Field " + f.Name + " can only be compared with Equals to one of its values.")
		case f.Name == "resources.type":
			kind = f.Equals[0]
		}
	}
	switch {
	case category == trail.CategoryData && kind == "":
		return invalidSelector("Each advanced event selector of data events must have a resources.type.")
	case kind != "" && !resourceType.MatchString(kind):
		return invalidSelector("Value " + kind + " for resources.type is invalid.")
	}
	return nil
}

// resourceType is the form of the types of resources. There are data events here of
// AWS::S3::Object; selectors of others select nothing.
var resourceType = regexp.MustCompile(`^AWS::[A-Za-z0-9]{1,64}::[A-Za-z0-9]{1,64}$`)

func shownSelectors(all []trail.Selector) (basic []api.EventSelector, advanced []api.AdvancedEventSelector) {
	for _, s := range all {
		if !s.Advanced {
			v := api.EventSelector{
				ReadWriteType: &s.ReadWrite, IncludeManagementEvents: new(!s.None), DataResources: []api.DataResource{},
				ExcludeManagementEventSources: append([]string{}, s.Exclude...),
			}
			for _, d := range s.Data {
				v.DataResources = append(v.DataResources, api.DataResource{Type: &d.Type, Values: append([]string{}, d.Values...)})
			}
			basic = append(basic, v)
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
