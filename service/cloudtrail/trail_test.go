package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	tables "neargate/store/tables/trails"
)

// world is the API over an empty store; buckets named good may be delivered to.
type world struct {
	*Service
	store store.Store
	now   time.Time
}

func (w *world) MayDeliver(_ context.Context, t *trail.Trail) error {
	switch t.Bucket {
	case "good", "better":
		return nil
	case "closed":
		return ErrDenied
	}
	return ErrNoBucket
}

// MayLog lets the role good write to the log group good, and may to no other.
func (w *world) MayLog(_ context.Context, t *trail.Trail) error {
	switch t.LogRole {
	case role + "distrusts":
		return ErrRole
	case role + "may-not":
		return ErrNotLogged
	}
	if t.LogGroup != group+"good:*" {
		return ErrNoGroup
	}
	return nil
}

const group, role = "arn:aws:logs:us-east-1:123456789012:log-group:", "arn:aws:iam::123456789012:role/"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: mem.New(), now: start}
	w.Service = New(service.Deps{Store: w.store, Now: func() time.Time { return w.now }, IDs: arn.NewSource(rand.NewChaCha8([32]byte{}))}, nil, w, w)
	return w
}

func in(t *testing.T, region string) context.Context {
	return auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: region})
}

// change has a trail made, changed and deleted.
func TestTrail(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	made, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: new("main"), S3BucketName: new("good"), S3KeyPrefix: new("p"), IsMultiRegionTrail: new(true), TagsList: []api.Tag{{Key: new("b"), Value: new("1")}, {Key: new("a")}}})
	if err != nil {
		t.Fatal(err)
	}
	const id = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main"
	if *made.TrailARN != id || !*made.IncludeGlobalServiceEvents || !*made.IsMultiRegionTrail || *made.LogFileValidationEnabled || *made.S3KeyPrefix != "p" || made.KmsKeyId != nil {
		t.Errorf("%+v", made)
	}
	if _, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: new(id), S3BucketName: new("better"), S3KeyPrefix: new("")}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		region, name string
	}{{"us-east-1", "main"}, {"us-east-1", id}, {"eu-west-1", id}} {
		got, err := w.GetTrail(in(t, at.region), &api.GetTrailInput{Name: &at.name})
		if err != nil {
			t.Fatal(err)
		}
		if v := got.Trail; *v.S3BucketName != "better" || v.S3KeyPrefix != nil || *v.HomeRegion != "us-east-1" || *v.HasCustomEventSelectors || *v.HasInsightSelectors {
			t.Errorf("%+v", v)
		}
	}
	tags, err := w.ListTags(ctx, &api.ListTagsInput{ResourceIdList: []string{id}})
	if err != nil || len(tags.ResourceTagList) != 1 || shownTags(tags) != "a= b=1" {
		t.Errorf("%+v, %v", tags, err)
	}
	if _, err := w.AddTags(ctx, &api.AddTagsInput{ResourceId: new(id), TagsList: []api.Tag{{Key: new("b"), Value: new("2")}, {Key: new("c"), Value: new("3")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RemoveTags(ctx, &api.RemoveTagsInput{ResourceId: new(id), TagsList: []api.Tag{{Key: new("a")}, {Key: new("c"), Value: new("other")}}}); err != nil {
		t.Fatal(err)
	}
	if tags, err := w.ListTags(ctx, &api.ListTagsInput{ResourceIdList: []string{id}}); err != nil || shownTags(tags) != "b=2 c=3" {
		t.Errorf("%+v, %v", tags, err)
	}
	if _, err := w.DeleteTrail(ctx, &api.DeleteTrailInput{Name: new("main")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.GetTrail(ctx, &api.GetTrailInput{Name: new("main")}); err == nil || err.Error() != "TrailNotFoundException: Unknown trail: "+id+" for the user: 123456789012" {
		t.Error(err)
	}
}

func shownTags(out *api.ListTagsOutput) string {
	var all []string
	for _, g := range out.ResourceTagList[0].TagsList {
		all = append(all, *g.Key+"="+*g.Value)
	}
	return strings.Join(all, " ")
}

// TestRefused refuses bad input, and nothing is stored.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	if _, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: new("main"), S3BucketName: new("good"), IsMultiRegionTrail: new(true)}); err != nil {
		t.Fatal(err)
	}
	before := w.all(t)
	create := func(in api.CreateTrailInput) func() error {
		return func() error {
			if in.S3BucketName == nil {
				in.S3BucketName = new("good")
			}
			if in.Name == nil {
				in.Name = new("other")
			}
			_, err := w.CreateTrail(ctx, &in)
			return err
		}
	}
	put := func(in api.PutEventSelectorsInput) func() error {
		return func() error {
			in.TrailName = new("main")
			_, err := w.PutEventSelectors(ctx, &in)
			return err
		}
	}
	data := func(kind string, values ...string) func() error {
		return put(api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{DataResources: []api.DataResource{{Type: &kind, Values: values}}}}})
	}
	advanced := func(fields ...api.AdvancedFieldSelector) func() error {
		return put(api.PutEventSelectorsInput{AdvancedEventSelectors: []api.AdvancedEventSelector{{FieldSelectors: fields}}})
	}
	equals := func(field string, values ...string) api.AdvancedFieldSelector {
		return api.AdvancedFieldSelector{Field: &field, Equals: values}
	}
	for name, tt := range map[string]struct {
		want string
		call func() error
	}{
		"again":           {"TrailAlreadyExistsException: Trail main already exists for customer: 123456789012", create(api.CreateTrailInput{Name: new("main")})},
		"short":           {"InvalidTrailNameException: Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters.", create(api.CreateTrailInput{Name: new("ab")})},
		"long":            {"InvalidTrailNameException: Trail name too long.", create(api.CreateTrailInput{Name: new(strings.Repeat("a", 129))})},
		"characters":      {"InvalidTrailNameException: Trail name or ARN can only contain", create(api.CreateTrailInput{Name: new("a b c")})},
		"start":           {"InvalidTrailNameException: Trail name must starts", create(api.CreateTrailInput{Name: new("-abc")})},
		"end":             {"InvalidTrailNameException: Trail name must ends", create(api.CreateTrailInput{Name: new("abc-")})},
		"doubled":         {"InvalidTrailNameException: Trail name can not contain adjacent", create(api.CreateTrailInput{Name: new("a._b")})},
		"address":         {"InvalidTrailNameException: Trail name can not be in IP address format.", create(api.CreateTrailInput{Name: new("10.0.0.1")})},
		"no bucket":       {"S3BucketDoesNotExistException: S3 bucket gone does not exist!", create(api.CreateTrailInput{S3BucketName: new("gone")})},
		"policy":          {"InsufficientS3BucketPolicyException: Incorrect S3 bucket policy is detected for bucket: closed", create(api.CreateTrailInput{S3BucketName: new("closed")})},
		"bucket name":     {"InvalidS3BucketNameException: ", create(api.CreateTrailInput{S3BucketName: new("No")})},
		"prefix":          {"InvalidS3PrefixException: ", create(api.CreateTrailInput{S3KeyPrefix: new(strings.Repeat("a", 201))})},
		"not global":      {"InvalidParameterCombinationException: Multi-Region trail must include global service events.", create(api.CreateTrailInput{IsMultiRegionTrail: new(true), IncludeGlobalServiceEvents: new(false)})},
		"topic":           {"InsufficientSnsTopicPolicyException: ", create(api.CreateTrailInput{SnsTopicName: new("t")})},
		"no role":         {"InvalidCloudWatchLogsRoleArnException: You must specify a role ARN as well as a log group.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new(group + "good:*")})},
		"no log group":    {"InvalidCloudWatchLogsLogGroupArnException: You must specify a log group as well as a role ARN.", create(api.CreateTrailInput{CloudWatchLogsRoleArn: new(role + "good")})},
		"role":            {"InvalidCloudWatchLogsRoleArnException: Access denied. Check the trust relationships for your role.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new(group + "good:*"), CloudWatchLogsRoleArn: new(role + "distrusts")})},
		"role's policy":   {"InvalidCloudWatchLogsLogGroupArnException: Access denied. Check the permissions for your role.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new(group + "good:*"), CloudWatchLogsRoleArn: new(role + "may-not")})},
		"unknown group":   {"InvalidCloudWatchLogsLogGroupArnException: Check the log group ARN: CloudTrail can't validate it.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new(group + "none:*"), CloudWatchLogsRoleArn: new(role + "good")})},
		"group's name":    {"InvalidCloudWatchLogsLogGroupArnException: Check the log group ARN: CloudTrail can't validate it.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new("good"), CloudWatchLogsRoleArn: new(role + "good")})},
		"no wildcard":     {"InvalidCloudWatchLogsLogGroupArnException: Check the log group ARN: CloudTrail can't validate it.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new(group + "good"), CloudWatchLogsRoleArn: new(role + "good")})},
		"group elsewhere": {"InvalidCloudWatchLogsLogGroupArnException: Check the log group ARN: CloudTrail can't validate it.", create(api.CreateTrailInput{CloudWatchLogsLogGroupArn: new("arn:aws:logs:eu-west-1:123456789012:log-group:good:*"), CloudWatchLogsRoleArn: new(role + "good")})},
		"updated group": {"InvalidCloudWatchLogsRoleArnException: ", func() error {
			_, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: new("main"), CloudWatchLogsLogGroupArn: new(group + "good:*")})
			return err
		}},
		"organization":      {"OrganizationsNotInUseException: ", create(api.CreateTrailInput{IsOrganizationTrail: new(true)})},
		"doubled tag":       {"InvalidTagParameterException: ", create(api.CreateTrailInput{TagsList: []api.Tag{{Key: new("a")}, {Key: new("a")}}})},
		"reserved tag":      {"InvalidTagParameterException: ", create(api.CreateTrailInput{TagsList: []api.Tag{{Key: new("aws:a")}}})},
		"no selectors":      {"InvalidEventSelectorsException: ", put(api.PutEventSelectorsInput{})},
		"both":              {"InvalidEventSelectorsException: ", put(api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{}}, AdvancedEventSelectors: []api.AdvancedEventSelector{{}}})},
		"nothing":           {"InvalidEventSelectorsException: ", put(api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{IncludeManagementEvents: new(false)}}})},
		"many":              {"InvalidEventSelectorsException: ", put(api.PutEventSelectorsInput{EventSelectors: make([]api.EventSelector, 6)})},
		"data type":         {"InvalidEventSelectorsException: Value  for DataResources.Type is invalid.", data("")},
		"another data type": {"InvalidEventSelectorsException: Value AWS::S3::Bucket for DataResources.Type is invalid.", data("AWS::S3::Bucket", "arn:aws:s3")},
		"no slash":          {"InvalidEventSelectorsException: Value arn:aws:s3:::bucket for DataResources.Values is invalid.", data("AWS::S3::Object", "arn:aws:s3:::bucket")},
		"wildcard":          {"InvalidEventSelectorsException: Value arn:aws:s3:::* for DataResources.Values is invalid.", data("AWS::S3::Object", "arn:aws:s3:::*")},
		"functions":         {"InvalidEventSelectorsException: Value arn:aws:lambda:* for DataResources.Values is invalid.", data("AWS::Lambda::Function", "arn:aws:lambda:*")},
		"no ARN":            {"InvalidEventSelectorsException: Value bucketArn for DataResources.Values is invalid.", data("AWS::S3::Object", "bucketArn")},
		"no bucket name":    {"InvalidEventSelectorsException: Value arn:aws:s3:::/a for DataResources.Values is invalid.", data("AWS::S3::Object", "arn:aws:s3:::/a")},
		"many values":       {"InvalidEventSelectorsException: Specify a valid number of DataResources.Values (0 to 250) for all your selectors.", data("AWS::S3::Object", slices.Repeat([]string{"arn:aws:s3:::b-b/"}, 251)...)},
		"excluded":          {"InvalidEventSelectorsException: ", put(api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{ExcludeManagementEventSources: []string{"ecs.amazonaws.com"}}}})},
		"no category":       {"InvalidEventSelectorsException: ", advanced(equals("readOnly", "true"))},
		"unknown category":  {"InvalidEventSelectorsException: ", advanced(equals("eventCategory", "Other"))},
		"unknown field":     {"InvalidEventSelectorsException: ", advanced(equals("eventCategory", "Management"), equals("size", "1"))},
		"no operator":       {"InvalidEventSelectorsException: ", advanced(equals("eventCategory", "Management"), equals("eventName"))},
		"twice":             {"InvalidEventSelectorsException: ", advanced(equals("eventCategory", "Management"), equals("eventCategory", "Management"))},
		"perhaps":           {"InvalidEventSelectorsException: ", advanced(equals("eventCategory", "Management"), equals("readOnly", "perhaps"))},
		"no type":           {"InvalidEventSelectorsException: Each advanced event selector of data events must have a resources.type.", advanced(equals("eventCategory", "Data"))},
		"two types":         {"InvalidEventSelectorsException: Field resources.type can only", advanced(equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object", "AWS::SNS::Topic"))},
		"bad type":          {"InvalidEventSelectorsException: Value object for resources.type is invalid.", advanced(equals("eventCategory", "Data"), equals("resources.type", "object"))},
		"data field":        {"InvalidEventSelectorsException: Field resources.ARN is not supported for management events.", advanced(equals("eventCategory", "Management"), equals("resources.ARN", "a"))},
		"network activity":  {"UnsupportedOperationException: ", advanced(equals("eventCategory", "NetworkActivity"), equals("eventSource", "kms.amazonaws.com"))},
		"elsewhere": {"InvalidHomeRegionException: ", func() error {
			_, err := w.StopLogging(in(t, "eu-west-1"), &api.StopLoggingInput{Name: new("arn:aws:cloudtrail:us-east-1:123456789012:trail/main")})
			return err
		}},
		"another's": {"CloudTrailARNInvalidException: AccountID in ARN is wrong, you can only access resources with AccountID 123456789012.", func() error {
			_, err := w.GetTrailStatus(ctx, &api.GetTrailStatusInput{Name: new("arn:aws:cloudtrail:us-east-1:210987654321:trail/main")})
			return err
		}},
		"no trail's tags": {"ResourceNotFoundException: ", func() error {
			_, err := w.AddTags(ctx, &api.AddTagsInput{ResourceId: new("arn:aws:cloudtrail:us-east-1:123456789012:trail/none")})
			return err
		}},
		"a channel's tags": {"ResourceTypeNotSupportedException: ", func() error {
			_, err := w.ListTags(ctx, &api.ListTagsInput{ResourceIdList: []string{"arn:aws:cloudtrail:us-east-1:123456789012:channel/c"}})
			return err
		}},
		"another page": {"InvalidTokenException: ", func() error {
			_, err := w.ListTrails(ctx, &api.ListTrailsInput{NextToken: new("x")})
			return err
		}},
		"another page of keys": {"InvalidTokenException: ", func() error {
			_, err := w.ListPublicKeys(ctx, &api.ListPublicKeysInput{NextToken: new("x")})
			return err
		}},
		"keys of no time": {"InvalidTimeRangeException: ", func() error {
			_, err := w.ListPublicKeys(ctx, &api.ListPublicKeysInput{StartTime: new(start.Add(time.Hour))})
			return err
		}},
		"insights": {"InsightNotEnabledException: ", func() error {
			_, err := w.GetInsightSelectors(ctx, &api.GetInsightSelectorsInput{TrailName: new("main")})
			return err
		}},
		"updated bucket": {"S3BucketDoesNotExistException: ", func() error {
			_, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: new("main"), S3BucketName: new("gone")})
			return err
		}},
		"not global any more": {"InvalidParameterCombinationException: ", func() error {
			_, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: new("main"), IncludeGlobalServiceEvents: new(false)})
			return err
		}},
	} {
		if err := tt.call(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if after := w.all(t); !reflect.DeepEqual(before, after) {
		t.Errorf("%+v became %+v", before, after)
	}
}

func (w *world) all(t *testing.T) (all []trail.Trail) {
	t.Helper()
	err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
		all, err = store.Collect(tables.Trails.List(tx))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLists pages through the trails of all regions and describes those of one.
func TestLists(t *testing.T) {
	w := newWorld(t)
	n := 0
	for _, region := range arn.Regions()[:12] {
		for i := range 5 {
			if _, err := w.CreateTrail(in(t, region), &api.CreateTrailInput{Name: new(fmt.Sprint("trail-", i)), S3BucketName: new("good")}); err != nil {
				t.Fatal(err)
			}
			n++
		}
		_, err := w.CreateTrail(in(t, region), &api.CreateTrailInput{Name: new("sixth"), S3BucketName: new("good")})
		if err == nil || !strings.HasPrefix(err.Error(), "MaximumNumberOfTrailsExceededException: ") {
			t.Errorf("the sixth: %v", err)
		}
	}
	seen := map[string]bool{}
	pages := 0
	for token := (*string)(nil); pages == 0 || token != nil; pages++ {
		out, err := w.ListTrails(in(t, "us-east-1"), &api.ListTrailsInput{NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Trails {
			seen[*v.TrailARN] = true
		}
		token = out.NextToken
	}
	if len(seen) != n || pages != 2 {
		t.Errorf("%d trails on %d pages, want %d on 2", len(seen), pages, n)
	}
	home := arn.Regions()[13]
	if _, err := w.CreateTrail(in(t, home), &api.CreateTrailInput{Name: new("wide"), S3BucketName: new("good"), IsMultiRegionTrail: new(true)}); err != nil {
		t.Fatal(err)
	}
	region := arn.Regions()[0]
	for want, q := range map[int]*api.DescribeTrailsInput{
		6: {},
		5: {IncludeShadowTrails: new(false)},
		2: {TrailNameList: []string{"trail-1", "arn:aws:cloudtrail:" + home + ":123456789012:trail/wide", "none"}},
		0: {TrailNameList: []string{"wide"}},
	} {
		out, err := w.DescribeTrails(in(t, region), q)
		if err != nil || len(out.TrailList) != want {
			t.Errorf("%+v: %+v (%v), want %d", q, out, err, want)
		}
	}
}

// TestLogging starts and stops, and shows how the delivery goes.
func TestLogging(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	name := new("main")
	if _, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: name, S3BucketName: new("good")}); err != nil {
		t.Fatal(err)
	}
	status := func() *api.GetTrailStatusOutput {
		t.Helper()
		out, err := w.GetTrailStatus(ctx, &api.GetTrailStatusInput{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if s := status(); *s.IsLogging || s.StartLoggingTime != nil || *s.TimeLoggingStarted != "" || *s.LatestDeliveryAttemptTime != "" {
		t.Errorf("%+v", s)
	}
	for range 2 {
		if _, err := w.StartLogging(ctx, &api.StartLoggingInput{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	w.now = start.Add(time.Hour)
	if s := status(); !*s.IsLogging || !s.StartLoggingTime.Equal(start) || s.StopLoggingTime != nil || *s.TimeLoggingStarted != "2026-03-01T12:00:00Z" {
		t.Errorf("%+v", s)
	}
	d := trail.Delivery{Account: "123456789012", Region: "us-east-1", Name: "main", Trail: w.all(t)[0].ID, AttemptedAt: w.now, DeliveredAt: start, Error: "AccessDenied"}
	if err := w.store.Update(ctx, func(tx store.Tx) error { return tables.Deliveries.Put(tx, &d) }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.StopLogging(ctx, &api.StopLoggingInput{Name: name}); err != nil {
		t.Fatal(err)
	}
	if s := status(); *s.IsLogging || !s.StopLoggingTime.Equal(w.now) || *s.LatestDeliveryError != "AccessDenied" || *s.LatestDeliveryAttemptTime != "2026-03-01T13:00:00Z" || !s.LatestDeliveryTime.Equal(start) {
		t.Errorf("%+v", s)
	}
	if _, err := w.DeleteTrail(ctx, &api.DeleteTrailInput{Name: name}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.View(ctx, func(tx store.Tx) error {
		_, err := tables.Deliveries.Get(tx, d.Account, d.Region, d.Name)
		return err
	}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was delivered is remembered: %v", err)
	}
	var ended []trail.Trail
	if err := w.store.View(ctx, func(tx store.Tx) (err error) {
		ended, err = store.Collect(tables.Ended.List(tx))
		return err
	}); err != nil || len(ended) != 1 || !ended[0].Deleted || ended[0].Logging || !ended[0].StoppedAt.Equal(w.now) {
		t.Errorf("%+v (%v)", ended, err)
	}
	if got, err := w.ListTrails(ctx, &api.ListTrailsInput{}); err != nil || len(got.Trails) != 0 {
		t.Errorf("%+v (%v)", got, err)
	}
	if _, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: name, S3BucketName: new("good")}); err != nil {
		t.Error(err)
	}
}

// TestLogGroup gives a trail a log group and takes it away.
func TestLogGroup(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	name := new("main")
	if _, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: name, S3BucketName: new("good")}); err != nil {
		t.Fatal(err)
	}
	out, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: name, CloudWatchLogsLogGroupArn: new(group + "good:*"), CloudWatchLogsRoleArn: new(role + "good")})
	if err != nil || *out.CloudWatchLogsLogGroupArn != group+"good:*" || *out.CloudWatchLogsRoleArn != role+"good" {
		t.Fatalf("%+v (%v)", out, err)
	}
	since := w.all(t)[0].LogsSince
	w.now = w.now.Add(time.Hour)
	if _, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: name, IsMultiRegionTrail: new(true)}); err != nil {
		t.Fatal(err)
	}
	tr := w.all(t)[0]
	if tr.LogGroup != group+"good:*" || tr.LogsSince != since || since != uint64(start.UnixNano()) {
		t.Errorf("%+v", tr)
	}
	d := trail.Delivery{Account: tr.Account, Region: tr.Region, Name: tr.Name, Trail: tr.ID, Lane: "logs", DeliveredAt: start, Error: "AccessDenied"}
	if err := w.store.Update(ctx, func(tx store.Tx) error { return tables.Deliveries.Put(tx, &d) }); err != nil {
		t.Fatal(err)
	}
	status, err := w.GetTrailStatus(ctx, &api.GetTrailStatusInput{Name: name})
	if err != nil || !status.LatestCloudWatchLogsDeliveryTime.Equal(start) || *status.LatestCloudWatchLogsDeliveryError != "AccessDenied" || status.LatestDeliveryTime != nil || status.LatestDeliveryError != nil {
		t.Errorf("%+v (%v)", status, err)
	}
	if _, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: name, CloudWatchLogsLogGroupArn: new(""), CloudWatchLogsRoleArn: new("")}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.GetTrail(ctx, &api.GetTrailInput{Name: name}); err != nil || got.Trail.CloudWatchLogsLogGroupArn != nil || got.Trail.CloudWatchLogsRoleArn != nil {
		t.Errorf("%+v (%v)", got, err)
	}
}

// TestSelectors puts selectors, gets them back, and has events held against them.
func TestSelectors(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	name := new("main")
	if _, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: name, S3BucketName: new("good")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.StartLogging(ctx, &api.StartLoggingInput{Name: name}); err != nil {
		t.Fatal(err)
	}
	event := func(source, op string, readOnly bool) trail.Event {
		return trail.Event{Account: "123456789012", Region: "us-east-1", Time: start, Source: source + ".amazonaws.com", Name: op, ReadOnly: readOnly}
	}
	access := func(op, key string, readOnly bool) trail.Event {
		e := event("s3", op, readOnly)
		e.Data, e.Caller = true, "arn:aws:iam::123456789012:user/ann"
		e.Resources = []trail.Resource{{Type: "AWS::S3::Object", Name: "arn:aws:s3:::" + key}, {Type: "AWS::S3::Bucket", Name: "arn:aws:s3:::b-b"}}
		return e
	}
	events := []trail.Event{event("ecs", "RunTask", false), event("ecs", "ListTasks", true), event("kms", "Encrypt", true), event("iam", "CreateRole", false),
		access("GetObject", "b-b/in/a", true), access("PutObject", "b-b/in/b", false), access("DeleteObject", "b-bb/c", false)}
	all := func(kind string, values ...string) []api.DataResource {
		return []api.DataResource{{Type: &kind, Values: values}}
	}
	chosen := func(fields ...api.AdvancedFieldSelector) *api.PutEventSelectorsInput {
		kind := []string{"AWS::S3::Object"}
		fields = append(fields, api.AdvancedFieldSelector{Field: new("eventCategory"), Equals: []string{"Data"}}, api.AdvancedFieldSelector{Field: new("resources.type"), Equals: kind})
		return &api.PutEventSelectorsInput{AdvancedEventSelectors: []api.AdvancedEventSelector{{FieldSelectors: fields}}}
	}
	field := func(name string) api.AdvancedFieldSelector { return api.AdvancedFieldSelector{Field: &name} }
	management, source, op := field("eventCategory"), field("eventSource"), field("eventName")
	management.Equals, source.NotEquals, op.StartsWith, op.EndsWith = []string{"Management"}, []string{"kms.amazonaws.com"}, []string{"List"}, []string{"Role"}
	for _, tt := range []struct {
		in   *api.PutEventSelectorsInput
		want string
	}{
		{nil, "RunTask ListTasks Encrypt CreateRole"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{ReadWriteType: new("WriteOnly"), IncludeManagementEvents: new(true)}}}, "RunTask CreateRole"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{ReadWriteType: new("ReadOnly"), ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}}, "ListTasks"},
		{&api.PutEventSelectorsInput{AdvancedEventSelectors: []api.AdvancedEventSelector{{FieldSelectors: []api.AdvancedFieldSelector{management, source}, Name: new("no keys")}}}, "RunTask ListTasks CreateRole"},
		{&api.PutEventSelectorsInput{AdvancedEventSelectors: []api.AdvancedEventSelector{{FieldSelectors: []api.AdvancedFieldSelector{management, op}}}}, "ListTasks CreateRole"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{IncludeManagementEvents: new(false), DataResources: all("AWS::S3::Object", "arn:aws:s3")}}}, "GetObject PutObject DeleteObject"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{IncludeManagementEvents: new(false), DataResources: all("AWS::S3::Object", "arn:aws:s3:::")}}}, "GetObject PutObject DeleteObject"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{ReadWriteType: new("ReadOnly"), DataResources: all("AWS::S3::Object", "arn:aws:s3:::b-b/")}}}, "ListTasks Encrypt GetObject"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{
			{ReadWriteType: new("WriteOnly"), IncludeManagementEvents: new(false), DataResources: all("AWS::S3::Object", "arn:aws:s3:::b-b/in/b", "arn:aws:s3:::b-bb/")},
			{IncludeManagementEvents: new(false), DataResources: all("AWS::Lambda::Function", "arn:aws:lambda")},
		}}, "PutObject DeleteObject"},
		{&api.PutEventSelectorsInput{EventSelectors: []api.EventSelector{{DataResources: all("AWS::S3::Object")}}}, "RunTask ListTasks Encrypt CreateRole"},
		{chosen(), "GetObject PutObject DeleteObject"},
		{chosen(api.AdvancedFieldSelector{Field: new("readOnly"), Equals: []string{"true"}}), "GetObject"},
		{chosen(api.AdvancedFieldSelector{Field: new("eventName"), NotStartsWith: []string{"Get"}}), "PutObject DeleteObject"},
		{chosen(api.AdvancedFieldSelector{Field: new("resources.ARN"), StartsWith: []string{"arn:aws:s3:::b-b/"}, NotEndsWith: []string{"/a"}}), "PutObject"},
		{chosen(api.AdvancedFieldSelector{Field: new("userIdentity.arn"), NotEquals: []string{"arn:aws:iam::123456789012:user/ann"}}), ""},
		{chosen(api.AdvancedFieldSelector{Field: new("userIdentity.arn"), EndsWith: []string{"/ann"}}, api.AdvancedFieldSelector{Field: new("eventSource"), Equals: []string{"s3.amazonaws.com"}}), "GetObject PutObject DeleteObject"},
		{chosen(api.AdvancedFieldSelector{Field: new("sessionCredentialFromConsole"), Equals: []string{"true"}}), ""},
	} {
		if tt.in != nil {
			tt.in.TrailName = name
			put, err := w.PutEventSelectors(ctx, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.GetEventSelectors(ctx, &api.GetEventSelectorsInput{TrailName: name})
			if err != nil || !reflect.DeepEqual(got.EventSelectors, put.EventSelectors) || !reflect.DeepEqual(got.AdvancedEventSelectors, tt.in.AdvancedEventSelectors) || len(got.EventSelectors) != len(tt.in.EventSelectors) {
				t.Errorf("%+v became %+v (%v)", tt.in, got, err)
			}
		}
		tr := w.all(t)[0]
		var wanted []string
		for i := range events {
			if tr.Wants(&events[i]) {
				wanted = append(wanted, events[i].Name)
			}
		}
		if got := strings.Join(wanted, " "); got != tt.want || tr.Custom != (tt.in != nil) {
			t.Errorf("%+v: %s, want %s", tt.in, got, tt.want)
		}
	}
	tr := w.all(t)[0]
	tr.Selectors, tr.Global = trail.Everything(), false
	if tr.Wants(&events[3]) || !tr.Wants(&events[0]) {
		t.Error("a trail without global services takes them for others")
	}
}
