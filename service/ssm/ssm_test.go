package ssm

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awskms "neargate/aws/kms"
	api "neargate/aws/ssm"
	"neargate/resource/identity"
	"neargate/resource/param"
	"neargate/service"
	"neargate/service/kms"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/parameters"
)

const (
	account = "123456789012"
	rootARN = "arn:aws:iam::123456789012:root"
	prefix  = "arn:aws:ssm:us-east-1:123456789012:parameter"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)

type world struct {
	*Service
	kms *kms.Service
	ctx context.Context
	t   *testing.T
	ids *arn.Source
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ids: arn.NewSource(rand.New(rand.NewSource(1)))}
	d := service.Deps{Store: mem.New(mem.Paranoid()), Now: func() time.Time { return start }, IDs: w.ids}
	w.kms = kms.New(d, [32]byte{1})
	w.Service = New(d, w.kms)
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: "us-east-1", ARN: rootARN, UserID: account})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fails checks an error, "Code: message".
func (w *world) fails(err error, want string) {
	w.t.Helper()
	if err == nil || err.Error() != want {
		w.t.Errorf("error %v\nwant  %s", err, want)
	}
}

func (w *world) put(name, kind, value string) error {
	_, err := w.PutParameter(w.ctx, &api.PutParameterInput{Name: &name, Type: &kind, Value: &value, Overwrite: new(true)})
	return err
}

func (w *world) got(name string) string {
	w.t.Helper()
	out, err := w.GetParameter(w.ctx, &api.GetParameterInput{Name: &name, WithDecryption: new(true)})
	w.must(err)
	return fmt.Sprintf("%s %s %d", *out.Parameter.Name, *out.Parameter.Value, *out.Parameter.Version)
}

func TestPutAndGet(t *testing.T) {
	w := newWorld(t)
	out, err := w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/app/db"), Type: new("String"), Value: new("one"), Tags: []api.Tag{{Key: new("k"), Value: new("v")}}})
	w.must(err)
	if *out.Version != 1 || *out.Tier != "Standard" {
		t.Errorf("put %+v", out)
	}
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/app/db"), Value: new("two")})
	w.fails(err, "ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/app/db"), Value: new("two"), Overwrite: new(true)})
	w.must(err)
	g, err := w.GetParameter(w.ctx, &api.GetParameterInput{Name: new("/app/db:01")})
	w.must(err)
	if p := g.Parameter; *p.ARN != prefix+"/app/db" || *p.Name != "/app/db" || *p.Selector != ":01" || *p.Value != "one" || *p.DataType != "text" || !p.LastModifiedDate.Equal(start) {
		t.Errorf("got %+v", p)
	}
	for name, want := range map[string]string{
		"/app/db": "/app/db two 2", prefix + "/app/db": prefix + "/app/db two 2", prefix + "/app/db:1": prefix + "/app/db one 1",
	} {
		if got := w.got(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	w.must(w.put("root", "String", "r"))
	if w.got("root") != "root r 1" || w.got("/root") != "/root r 1" {
		t.Errorf("%q, %q", w.got("root"), w.got("/root"))
	}
	for name, want := range map[string]string{
		"/app/none":   "ParameterNotFound: ",
		"/app/db:99":  "ParameterVersionNotFound: Systems Manager could not find version 99 of /app/db. Verify the version and try again.",
		"/app/db:0":   "ParameterVersionNotFound: Systems Manager could not find version 0 of /app/db. Verify the version and try again.",
		"/app/db:":    "ValidationException: Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>",
		"/app/db:a:b": "ValidationException: Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>",
		"arn:aws:ssm:us-east-1:999999999999:parameter/app/db": "ParameterNotFound: ",
	} {
		_, err := w.GetParameter(w.ctx, &api.GetParameterInput{Name: &name})
		w.fails(err, want)
	}
	list, err := w.GetParameters(w.ctx, &api.GetParametersInput{Names: []string{"/z", "root", "/app/db:7", "/app/db", "root", prefix + "/app/db", "/z"}})
	w.must(err)
	var names []string
	for _, p := range list.Parameters {
		names = append(names, *p.Name)
	}
	if fmt.Sprint(names) != "[/app/db "+prefix+"/app/db root]" || fmt.Sprint(list.InvalidParameters) != "[/app/db:7 /z]" {
		t.Errorf("got %v, invalid %v", names, list.InvalidParameters)
	}
	d, err := w.DeleteParameters(w.ctx, &api.DeleteParametersInput{Names: []string{"root", "none"}})
	w.must(err)
	if fmt.Sprint(d.DeletedParameters, d.InvalidParameters) != "[root] [none]" {
		t.Errorf("deleted %+v", d)
	}
	_, err = w.DeleteParameter(w.ctx, &api.DeleteParameterInput{Name: new("/app/db")})
	w.must(err)
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		for _, p := range append(parameters.Versions.Prefixes(), parameters.Parameters.Prefixes()...) {
			if n := tx.Count(p); n != 0 {
				t.Errorf("%d keys left under %q", n, p)
			}
		}
		return nil
	}))
}

func TestBadPuts(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 4097)
	for want, in := range map[string]*api.PutParameterInput{
		"ValidationException: Parameter name must be a fully qualified name.":                  {Name: new("a/b"), Type: new("String"), Value: new("v")},
		"AccessDeniedException: No access to reserved parameter name: /aws/x.":                 {Name: new("/aws/x"), Type: new("String"), Value: new("v")},
		`ValidationException: Parameter name: can't be prefixed with "aws" or "ssm"`:           {Name: new("AWSx"), Type: new("String"), Value: new("v")},
		`ValidationException: Parameter name: can't be prefixed with "ssm" (case-insens`:       {Name: new("/a b"), Type: new("String"), Value: new("v")},
		"HierarchyLevelLimitExceededException: A hierarchy can have":                           {Name: new(strings.Repeat("/a", 16)), Type: new("String"), Value: new("v")},
		"ValidationException: A parameter type is required when you create":                    {Name: new("/x"), Value: new("v")},
		"ValidationException: The following data type is not supported: aws:ec2:image":         {Name: new("/x"), Type: new("String"), Value: new("ami-1"), DataType: new("aws:ec2:image")},
		"ValidationException: Standard tier parameters support a maximum parameter value":      {Name: new("/x"), Type: new("String"), Value: &long},
		"ValidationException: Advanced tier parameters support a maximum parameter value":      {Name: new("/x"), Type: new("String"), Value: new(long + long), Tier: new("Advanced")},
		"ParameterPatternMismatchException: Parameter value, cannot be validated":              {Name: new("/x"), Type: new("String"), Value: new("ab"), AllowedPattern: new("a|b")},
		"InvalidAllowedPatternException: The request does not":                                 {Name: new("/x"), Type: new("String"), Value: new("ab"), AllowedPattern: new("(")},
		"InvalidKeyId: Alias arn:aws:kms:us-east-1:123456789012:alias/none is not found.":      {Name: new("/x"), Type: new("SecureString"), Value: new("v"), KeyId: new("alias/none")},
		"ValidationException: Parameter policies are supported":                                {Name: new("/x"), Type: new("String"), Value: new("v"), Tier: new("Standard"), Policies: new(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2030-01-01T00:00:00Z"}}]`)},
		"InvalidPolicyAttributeException: A policy attribute or its value":                     {Name: new("/x"), Type: new("String"), Value: new("v"), Tier: new("Advanced"), Policies: new(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2020-01-01T00:00:00Z"}}]`)},
		"InvalidPolicyTypeException: The policy type NoChangeNotification is not supported in": {Name: new("/x"), Type: new("String"), Value: new("v"), Tier: new("Advanced"), Policies: new(`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]`)},
	} {
		if _, err := w.PutParameter(w.ctx, in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if n, err := w.DescribeParameters(w.ctx, &api.DescribeParametersInput{}); err != nil || len(n.Parameters) != 0 {
		t.Errorf("refused calls made parameters: %+v, %v", n, err)
	}
}

func TestTiers(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 5000)
	out, err := w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/x"), Type: new("String"), Value: &long, Tier: new("Intelligent-Tiering"),
		Policies: new(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2030-01-01T00:00:00.000Z"}}]`)})
	w.must(err)
	if *out.Tier != "Advanced" {
		t.Errorf("put %+v", out)
	}
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/x"), Value: new("v"), Tier: new("Standard"), Overwrite: new(true)})
	if err == nil || !strings.HasPrefix(err.Error(), "ValidationException: This parameter uses the advanced-parameter tier.") {
		t.Errorf("%v", err)
	}
	d, err := w.DescribeParameters(w.ctx, &api.DescribeParametersInput{})
	w.must(err)
	if p := d.Parameters[0]; *p.Tier != "Advanced" || *p.Policies[0].PolicyStatus != "Pending" || *p.LastModifiedUser != rootARN {
		t.Errorf("described %+v", p)
	}
}

func TestVersionsAndLabels(t *testing.T) {
	w := newWorld(t)
	for i := range maxVersions {
		w.must(w.put("/v", "String", fmt.Sprint(i+1)))
	}
	l, err := w.LabelParameterVersion(w.ctx, &api.LabelParameterVersionInput{Name: new("/v"), ParameterVersion: new(int64(1)), Labels: []string{"first", "AWSbad", "Ssmbad", "bad label", "1number", "bad:colon"}})
	w.must(err)
	if fmt.Sprint(l.InvalidLabels) != "[AWSbad Ssmbad bad label 1number bad:colon]" || *l.ParameterVersion != 1 {
		t.Errorf("labelled %+v", l)
	}
	if got := w.got("/v:first"); got != "/v 1 1" {
		t.Errorf("labelled version %s", got)
	}
	err = w.put("/v", "String", "101")
	if err == nil || !strings.HasPrefix(err.Error(), "ParameterMaxVersionLimitExceeded: You attempted to create a new version of /v") {
		t.Errorf("%v", err)
	}
	_, err = w.LabelParameterVersion(w.ctx, &api.LabelParameterVersionInput{Name: new("/v"), Labels: []string{"first"}})
	w.must(err)
	w.must(w.put("/v", "String", "101"))
	if w.got("/v:first") != "/v 100 100" || w.got("/v") != "/v 101 101" {
		t.Errorf("%s, %s", w.got("/v:first"), w.got("/v"))
	}
	_, err = w.GetParameter(w.ctx, &api.GetParameterInput{Name: new("/v:1")})
	w.fails(err, "ParameterVersionNotFound: Systems Manager could not find version 1 of /v. Verify the version and try again.")
	var numbers []int64
	in := &api.GetParameterHistoryInput{Name: new("/v"), MaxResults: new(int32(40))}
	for {
		out, err := w.GetParameterHistory(w.ctx, in)
		w.must(err)
		for _, p := range out.Parameters {
			numbers = append(numbers, *p.Version)
			if (*p.Version == 100) != (len(p.Labels) == 1) || p.Labels == nil || p.Policies == nil {
				t.Errorf("version %+v", p)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(numbers) != 100 || numbers[0] != 2 || numbers[99] != 101 {
		t.Errorf("versions %v", numbers)
	}
	u, err := w.UnlabelParameterVersion(w.ctx, &api.UnlabelParameterVersionInput{Name: new("/v"), ParameterVersion: new(int64(100)), Labels: []string{"first", "other"}})
	w.must(err)
	if fmt.Sprint(u.RemovedLabels, u.InvalidLabels) != "[first] [other]" {
		t.Errorf("unlabelled %+v", u)
	}
	labels := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	_, err = w.LabelParameterVersion(w.ctx, &api.LabelParameterVersionInput{Name: new("/v"), Labels: labels})
	w.must(err)
	_, err = w.LabelParameterVersion(w.ctx, &api.LabelParameterVersionInput{Name: new("/v"), Labels: []string{"k"}})
	if err == nil || !strings.HasPrefix(err.Error(), "ParameterVersionLabelLimitExceeded") {
		t.Errorf("%v", err)
	}
}

func TestByPathAndFilters(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"/a/b/c", "/a/x", "/a/y", "/a-b", "/ab/z", "top", "/a/b/d"} {
		w.must(w.put(name, "String", "v"))
	}
	_, err := w.LabelParameterVersion(w.ctx, &api.LabelParameterVersionInput{Name: new("/a/x"), Labels: []string{"live"}})
	w.must(err)
	w.must(w.put("/a/x", "StringList", "v,w"))
	_, err = w.AddTagsToResource(w.ctx, &api.AddTagsToResourceInput{ResourceType: new("Parameter"), ResourceId: new("/a/y"), Tags: []api.Tag{{Key: new("team"), Value: new("red")}}})
	w.must(err)
	filter := func(key, option string, values ...string) []api.ParameterStringFilter {
		return []api.ParameterStringFilter{{Key: &key, Option: given(option), Values: values}}
	}
	byPath := func(path string, recursive bool, f []api.ParameterStringFilter) (out string) {
		t.Helper()
		in := &api.GetParametersByPathInput{Path: &path, Recursive: &recursive, ParameterFilters: f, MaxResults: new(int32(2))}
		for {
			page, err := w.GetParametersByPath(w.ctx, in)
			w.must(err)
			for _, p := range page.Parameters {
				out += *p.Name + " "
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				return strings.TrimSpace(out)
			}
			if len(page.Parameters) != 2 {
				t.Errorf("a page of %d has a next one", len(page.Parameters))
			}
			out += "| "
		}
	}
	for _, tt := range []struct {
		path      string
		recursive bool
		filter    []api.ParameterStringFilter
		want      string
	}{
		{"/a", false, nil, "/a/x /a/y"},
		{"/a/", true, nil, "/a/b/c /a/b/d | /a/x /a/y"},
		{"/", false, nil, "/a-b top"},
		{"/none", true, nil, ""},
		{"/a", true, filter("Type", "", "StringList"), "/a/x"},
		{"/a", true, filter("Label", "", "live"), "/a/x"},
	} {
		if got := byPath(tt.path, tt.recursive, tt.filter); got != tt.want {
			t.Errorf("%s %v %v: %s", tt.path, tt.recursive, tt.filter, got)
		}
	}
	out, err := w.GetParametersByPath(w.ctx, &api.GetParametersByPathInput{Path: new("/a"), ParameterFilters: filter("Label", "", "live")})
	w.must(err)
	if p := out.Parameters[0]; *p.Version != 1 || *p.Selector != ":live" {
		t.Errorf("labelled %+v", p)
	}
	for _, tt := range []struct{ key, option, value, want string }{
		{"Name", "", "/a/x", "/a/x"}, {"Name", "BeginsWith", "/a", "/a-b /a/b/c /a/b/d /a/x /a/y /ab/z"}, {"Name", "Contains", "b", "/a-b /a/b/c /a/b/d /ab/z"},
		{"Path", "OneLevel", "/a", "/a/x /a/y"}, {"Path", "Recursive", "/a", "/a/b/c /a/b/d /a/x /a/y"},
		{"tag:team", "", "red", "/a/y"}, {"tag:team", "", "blue", ""}, {"Type", "", "StringList", "/a/x"},
	} {
		in := &api.DescribeParametersInput{ParameterFilters: filter(tt.key, tt.option, tt.value), MaxResults: new(int32(3))}
		var names []string
		for {
			d, err := w.DescribeParameters(w.ctx, in)
			w.must(err)
			for _, p := range d.Parameters {
				names = append(names, *p.Name)
			}
			if in.NextToken = d.NextToken; in.NextToken == nil {
				break
			}
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	for want, f := range map[string][]api.ParameterStringFilter{
		"InvalidFilterKey: The following filter key is not valid: Label. Valid": filter("Label", "", "x"),
		"InvalidFilterOption: The following filter option is not valid: Sounds": filter("Name", "Sounds", "x"),
		"InvalidFilterValue: The following filter values are missing : null":    filter("Name", ""),
		"InvalidFilterValue: The following filter value is not valid: Text.":    filter("Type", "", "Text"),
	} {
		if _, err := w.DescribeParameters(w.ctx, &api.DescribeParametersInput{ParameterFilters: f}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err = w.GetParametersByPath(w.ctx, &api.GetParametersByPathInput{Path: new("/a"), ParameterFilters: filter("Label", "", "a", "b")})
	w.fails(err, "InvalidFilterValue: The following filter Label can have only one value")
	_, err = w.DescribeParameters(w.ctx, &api.DescribeParametersInput{NextToken: new("forged")})
	w.fails(err, "InvalidNextToken: The specified token is not valid.")
	tags, err := w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceType: new("Parameter"), ResourceId: new("/a/y")})
	w.must(err)
	if len(tags.TagList) != 1 {
		t.Errorf("tags %+v", tags.TagList)
	}
	_, err = w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceType: new("Parameter"), ResourceId: new("/a/none")})
	w.fails(err, "InvalidResourceId: ")
}

func TestSecureStrings(t *testing.T) {
	w := newWorld(t)
	w.must(w.put("/s", "SecureString", "hidden treasure"))
	raw, err := w.GetParameter(w.ctx, &api.GetParameterInput{Name: new("/s")})
	w.must(err)
	if strings.Contains(*raw.Parameter.Value, "hidden") || *raw.Parameter.Type != param.SecureString {
		t.Errorf("without decryption %+v", raw.Parameter)
	}
	if w.got("/s") != "/s hidden treasure 1" {
		t.Error(w.got("/s"))
	}
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		for k, v := range tx.List("", "", 0) {
			if strings.Contains(string(v.Bytes()), "hidden") {
				t.Errorf("%q holds the value", k)
			}
		}
		return nil
	}))
	h, err := w.GetParameterHistory(w.ctx, &api.GetParameterHistoryInput{Name: new("/s")})
	w.must(err)
	if *h.Parameters[0].KeyId != "alias/aws/ssm" {
		t.Errorf("history %+v", h.Parameters)
	}
	// A key of the account's own is the caller's to use, or not.
	k := identity.NewAccessKey(account, "ann", start, w.ids)
	u := identity.User{Account: account, Path: "/", Name: "ann", ID: w.ids.IAM("AIDA")}
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error {
		if err := tables.AccessKeys.Put(tx, &k); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	}))
	ann := auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: "us-east-1", ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.ID})
	read := func(name string) error {
		_, err := w.GetParameter(ann, &api.GetParameterInput{Name: &name, WithDecryption: new(true)})
		return err
	}
	if err := read("/s"); err != nil {
		t.Errorf("with the key of AWS: %v", err)
	}
	key, err := w.kms.CreateKey(w.ctx, &awskms.CreateKeyInput{})
	w.must(err)
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/own"), Type: new("SecureString"), Value: new("v"), KeyId: key.KeyMetadata.KeyId})
	w.must(err)
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/own"), Value: new("v2"), Description: new("d"), Overwrite: new(true)})
	w.must(err)
	_, err = w.PutParameter(w.ctx, &api.PutParameterInput{Name: new("/own"), Type: new("SecureString"), Tier: new("Standard"), Value: new("v3"), Overwrite: new(true)})
	w.must(err)
	h, err = w.GetParameterHistory(w.ctx, &api.GetParameterHistoryInput{Name: new("/own")})
	w.must(err)
	if last := h.Parameters[2]; *last.KeyId != *key.KeyMetadata.KeyId || *last.Description != "d" {
		t.Errorf("a version that says nothing of it has the key %s, the description %q", *last.KeyId, *last.Description)
	}
	w.fails(read("/own"), "AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	u.Grants.Inline = []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"ssm.us-east-1.amazonaws.com","kms:EncryptionContext:PARAMETER_ARN":"` + prefix + `/own"}}}]}`}}
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error { return tables.Users.Put(tx, &u) }))
	if err := read("/own"); err != nil {
		t.Errorf("with permission: %v", err)
	}
	if _, err := w.PutParameter(ann, &api.PutParameterInput{Name: new("/own2"), Type: new("SecureString"), Value: new("v"), KeyId: key.KeyMetadata.KeyId}); err == nil || !strings.Contains(err.Error(), "is not authorized to perform: kms:Encrypt on resource: "+*key.KeyMetadata.Arn) {
		t.Errorf("encrypting: %v", err)
	}
}
