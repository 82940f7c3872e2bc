package bucket

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
)

func dropTags(b *objects.Bucket)      { b.Tags = nil }
func dropPolicy(b *objects.Bucket)    { b.Policy = "" }
func dropBlock(b *objects.Bucket)     { b.Block = nil }
func dropOwnership(b *objects.Bucket) { b.Ownership = "" }
func dropCORS(b *objects.Bucket)      { b.CORS = nil }
func dropLifecycle(b *objects.Bucket) { b.Rules, b.MinimumSize = nil, "" }
func dropEncryption(b *objects.Bucket) {
	b.Encryption, b.BucketKey, b.CustomerKeys = nil, false, false
}

type lifecycleDocument struct {
	XMLName call.XMLName    `xml:"LifecycleConfiguration"`
	Xmlns   string          `xml:"xmlns,attr,omitempty"`
	Rules   []lifecycleRule `xml:"Rule"`
}

type lifecycleRule struct {
	Expiration                     *lifecycleExpiration
	ID                             string
	Prefix                         *string
	Filter                         *lifecycleFilter
	Status                         string
	Transitions                    []struct{} `xml:"Transition"`
	NoncurrentVersionTransitions   []struct{} `xml:"NoncurrentVersionTransition"`
	NoncurrentVersionExpiration    *lifecycleNoncurrent
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation int }
}

type lifecycleExpiration struct {
	Date                      string `xml:",omitempty"`
	Days                      *int
	ExpiredObjectDeleteMarker *bool
}

type lifecycleNoncurrent struct {
	NoncurrentDays          int
	NewerNoncurrentVersions int `xml:",omitempty"`
}

type lifecycleFilter struct {
	Prefix                *string
	Tag                   *objects.Tag
	ObjectSizeGreaterThan *int64
	ObjectSizeLessThan    *int64
	And                   *struct {
		Prefix                *string
		Tags                  []objects.Tag `xml:"Tag"`
		ObjectSizeGreaterThan *int64
		ObjectSizeLessThan    *int64
	}
}

const minimumSizeHeader = "x-amz-transition-default-minimum-object-size"

func getLifecycle(x *request) error {
	if len(x.Bucket.Rules) == 0 {
		return call.Fail("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist", call.With("BucketName", x.Bucket.Name))
	}
	out := lifecycleDocument{Xmlns: call.Namespace}
	for i := range x.Bucket.Rules {
		out.Rules = append(out.Rules, showRule(&x.Bucket.Rules[i]))
	}
	size := x.Bucket.MinimumSize
	if size == "" {
		size = "all_storage_classes_128K"
	}
	x.Set(minimumSizeHeader, size)
	return x.Write(out)
}

func showRule(r *objects.Rule) lifecycleRule {
	out := lifecycleRule{ID: r.ID, Status: "Enabled"}
	if r.Disabled {
		out.Status = "Disabled"
	}
	f := &r.Filter
	switch {
	case f.Bare:
		out.Prefix = f.Prefix
	case f.And:
		out.Filter = &lifecycleFilter{And: &struct {
			Prefix                *string
			Tags                  []objects.Tag `xml:"Tag"`
			ObjectSizeGreaterThan *int64
			ObjectSizeLessThan    *int64
		}{f.Prefix, f.Tags, f.Over, f.Under}}
	default:
		out.Filter = &lifecycleFilter{Prefix: f.Prefix, ObjectSizeGreaterThan: f.Over, ObjectSizeLessThan: f.Under}
		if len(f.Tags) > 0 {
			out.Filter.Tag = &f.Tags[0]
		}
	}
	if e := r.Expire; e != nil {
		out.Expiration = &lifecycleExpiration{ExpiredObjectDeleteMarker: e.Markers}
		if e.Days > 0 {
			out.Expiration.Days = &e.Days
		}
		if !e.Date.IsZero() {
			out.Expiration.Date = call.Stamp(e.Date)
		}
	}
	if r.NoncurrentDays > 0 {
		out.NoncurrentVersionExpiration = &lifecycleNoncurrent{r.NoncurrentDays, r.Keep}
	}
	if r.AbortDays > 0 {
		out.AbortIncompleteMultipartUpload = &struct{ DaysAfterInitiation int }{r.AbortDays}
	}
	return out
}

func putLifecycle(x *request) error {
	var in lifecycleDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	if len(in.Rules) == 0 || len(in.Rules) > 1000 {
		return call.ErrMalformedXML
	}
	size := x.R.Header.Get(minimumSizeHeader)
	if size != "" && size != "all_storage_classes_128K" && size != "varies_by_storage_class" {
		return call.InvalidArgument("Invalid value for "+minimumSizeHeader, minimumSizeHeader, size)
	}
	var rules []objects.Rule
	seen := map[string]bool{}
	for i := range in.Rules {
		r, err := readRule(&in.Rules[i])
		if err != nil {
			return err
		}
		if r.ID == "" {
			r.ID = x.IDs.UUID()
		}
		if seen[r.ID] {
			return call.InvalidArgument("Rule ID must be unique. Found same ID for more than one rule", "ID", r.ID)
		}
		seen[r.ID] = true
		rules = append(rules, r)
	}
	if err := x.Update(func(b *objects.Bucket) error { b.Rules, b.MinimumSize = rules, size; return nil }); err != nil {
		return err
	}
	x.Set(minimumSizeHeader, size)
	return x.OK(http.StatusOK)
}

func readRule(in *lifecycleRule) (r objects.Rule, err error) {
	switch {
	case len(in.ID) > 255:
		return r, call.InvalidArgument("ID length should not exceed allowed limit of 255", "ID", in.ID)
	case in.Status != "Enabled" && in.Status != "Disabled", in.Filter == nil && in.Prefix == nil, in.Filter != nil && in.Prefix != nil:
		return r, call.ErrMalformedXML
	case len(in.Transitions)+len(in.NoncurrentVersionTransitions) > 0:
		return r, call.Fail("NotImplemented", 501, "Transitions between storage call.Classes are not implemented")
	case in.Expiration == nil && in.NoncurrentVersionExpiration == nil && in.AbortIncompleteMultipartUpload == nil:
		return r, call.Fail("InvalidRequest", 400, "At least one action needs to be specified in a rule")
	}
	r.ID, r.Disabled = in.ID, in.Status == "Disabled"
	if r.Filter, err = readFilter(in); err != nil {
		return r, err
	}
	if r.Expire, err = readExpiration(in.Expiration, &r.Filter); err != nil {
		return r, err
	}
	if n := in.NoncurrentVersionExpiration; n != nil {
		if n.NoncurrentDays < 1 {
			return r, call.InvalidArgument("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer", "NoncurrentDays", strconv.Itoa(n.NoncurrentDays))
		}
		if n.NewerNoncurrentVersions < 0 || n.NewerNoncurrentVersions > 100 {
			return r, call.InvalidArgument("'NewerNoncurrentVersions' must be an integer between 1 and 100", "NewerNoncurrentVersions", strconv.Itoa(n.NewerNoncurrentVersions))
		}
		r.NoncurrentDays, r.Keep = n.NoncurrentDays, n.NewerNoncurrentVersions
	}
	if a := in.AbortIncompleteMultipartUpload; a != nil {
		if a.DaysAfterInitiation < 1 {
			return r, call.InvalidArgument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer", "DaysAfterInitiation", strconv.Itoa(a.DaysAfterInitiation))
		}
		if len(r.Filter.Tags) > 0 || r.Filter.Over != nil || r.Filter.Under != nil {
			return r, call.Fail("InvalidRequest", 400, "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.")
		}
		r.AbortDays = a.DaysAfterInitiation
	}
	return r, nil
}

func readFilter(in *lifecycleRule) (f objects.Filter, err error) {
	if in.Filter == nil {
		return objects.Filter{Prefix: in.Prefix, Bare: true}, nil
	}
	given := 0
	for _, is := range []bool{in.Filter.Prefix != nil, in.Filter.Tag != nil, in.Filter.ObjectSizeGreaterThan != nil, in.Filter.ObjectSizeLessThan != nil, in.Filter.And != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return f, call.ErrMalformedXML
	}
	if and := in.Filter.And; and != nil {
		f = objects.Filter{Prefix: and.Prefix, Tags: and.Tags, Over: and.ObjectSizeGreaterThan, Under: and.ObjectSizeLessThan, And: true}
	} else {
		f = objects.Filter{Prefix: in.Filter.Prefix, Over: in.Filter.ObjectSizeGreaterThan, Under: in.Filter.ObjectSizeLessThan}
		if in.Filter.Tag != nil {
			f.Tags = []objects.Tag{*in.Filter.Tag}
		}
	}
	if f.Over != nil && f.Under != nil && *f.Over >= *f.Under {
		return f, call.Fail("InvalidRequest", 400, "'ObjectSizeLessThan' must be greater than 'ObjectSizeGreaterThan' by at least one byte")
	}
	return f, call.CheckTags(f.Tags, objects.MaxTags, "Object")
}

func readExpiration(in *lifecycleExpiration, f *objects.Filter) (*objects.Expiration, error) {
	if in == nil {
		return nil, nil
	}
	e := &objects.Expiration{Markers: in.ExpiredObjectDeleteMarker}
	given := 0
	if in.Days != nil {
		given++
		if e.Days = *in.Days; e.Days < 1 {
			return nil, call.InvalidArgument("'Days' for Expiration action must be a positive integer", "Days", strconv.Itoa(e.Days))
		}
	}
	if in.Date != "" {
		given++
		t, err := time.Parse(time.RFC3339, in.Date)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, in.Date); err != nil {
				return nil, call.ErrMalformedXML
			}
		}
		if e.Date = t.UTC(); !e.Date.Equal(e.Date.Truncate(24 * time.Hour)) {
			return nil, call.InvalidArgument("'Date' must be at midnight GMT", "Date", in.Date)
		}
	}
	if in.ExpiredObjectDeleteMarker != nil {
		given++
		if len(f.Tags) > 0 {
			return nil, call.Fail("InvalidRequest", 400, "ExpiredObjectDeleteMarker cannot be specified with Tags.")
		}
	}
	if given != 1 {
		return nil, call.ErrMalformedXML
	}
	return e, nil
}

type corsDocument struct {
	XMLName call.XMLName `xml:"CORSConfiguration"`
	Xmlns   string       `xml:"xmlns,attr,omitempty"`
	Rules   []corsRule   `xml:"CORSRule"`
}

type corsRule struct {
	ID      string   `xml:",omitempty"`
	Headers []string `xml:"AllowedHeader"`
	Methods []string `xml:"AllowedMethod"`
	Origins []string `xml:"AllowedOrigin"`
	Expose  []string `xml:"ExposeHeader"`
	MaxAge  *int32   `xml:"MaxAgeSeconds"`
}

func getBucketCORS(x *request) error {
	if len(x.Bucket.CORS) == 0 {
		return call.Fail("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist", call.With("BucketName", x.Bucket.Name))
	}
	out := corsDocument{Xmlns: call.Namespace}
	for _, r := range x.Bucket.CORS {
		rule := corsRule{ID: r.ID, Headers: r.Headers, Methods: r.Methods, Origins: r.Origins, Expose: r.Expose, MaxAge: r.MaxAge}
		out.Rules = append(out.Rules, rule)
	}
	return x.Write(out)
}

var corsMethods = []string{"GET", "PUT", "HEAD", "POST", "DELETE"}

func putBucketCORS(x *request) error {
	var in corsDocument
	if err := x.Read(&in); err != nil {
		return err
	}
	if len(in.Rules) == 0 || len(in.Rules) > 100 {
		return call.ErrMalformedXML
	}
	var rules []objects.CORS
	for _, r := range in.Rules {
		if len(r.Methods) == 0 || len(r.Origins) == 0 {
			return call.ErrMalformedXML
		}
		for _, m := range r.Methods {
			if !slices.Contains(corsMethods, m) {
				return call.Fail("InvalidRequest", 400, "Found unsupported HTTP method in CORS config. Unsupported method is "+m)
			}
		}
		for _, pattern := range append(slices.Clone(r.Origins), r.Headers...) {
			if strings.Count(pattern, "*") > 1 {
				return call.Fail("InvalidRequest", 400, "AllowedOrigin \""+pattern+"\" can not have more than one wildcard.")
			}
		}
		for _, h := range r.Expose {
			if !headerName.MatchString(h) {
				return call.Fail("InvalidRequest", 400, "ExposeHeader \""+h+"\" contains wildcard. We currently do not support wildcard for ExposeHeader.")
			}
		}
		rules = append(rules, objects.CORS{ID: r.ID, Origins: r.Origins, Methods: r.Methods, Headers: r.Headers, Expose: r.Expose, MaxAge: r.MaxAge})
	}
	if err := x.Update(func(b *objects.Bucket) error { b.CORS = rules; return nil }); err != nil {
		return err
	}
	return x.OK(http.StatusOK)
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'+.^_|~-]+$`)

// rule is the CORS rule for a request of a page of another origin; nil for none.
func rule(x *request, method string, headers []string) *objects.CORS {
	for i := range x.Bucket.CORS {
		if r := &x.Bucket.CORS[i]; r.Allows(x.R.Header.Get("Origin"), method, headers) {
			return r
		}
	}
	return nil
}

// crossOrigin lets a page of another origin see the answer, if a rule says so.
func CrossOrigin(x *request) {
	if x.R.Header.Get("Origin") == "" || x.Bucket.Name == "" {
		return
	}
	if r := rule(x, x.R.Method, nil); r != nil {
		cors(x, r)
	}
}

func cors(x *request, r *objects.CORS) {
	origin := x.R.Header.Get("Origin")
	if slices.Contains(r.Origins, "*") {
		origin = "*"
	} else {
		x.Set("Access-Control-Allow-Credentials", "true")
	}
	x.Set("Access-Control-Allow-Origin", origin)
	x.Set("Access-Control-Allow-Methods", strings.Join(r.Methods, ", "))
	x.Set("Access-Control-Expose-Headers", strings.Join(r.Expose, ", "))
	if r.MaxAge != nil {
		x.Set("Access-Control-Max-Age", strconv.Itoa(int(*r.MaxAge)))
	}
	x.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// preflight answers what a browser asks before a page's request.
func Preflight(x *request) error {
	h := x.R.Header
	if h.Get("Origin") == "" {
		return call.Fail("BadRequest", 400, "Insufficient information. Origin request header needed.")
	}
	if !slices.Contains(corsMethods, h.Get("Access-Control-Request-Method")) {
		return call.Fail("BadRequest", 400, "Invalid Access-Control-Request-Method: "+h.Get("Access-Control-Request-Method"))
	}
	x.Anonymous = true
	if err := x.Find(); err != nil {
		return err
	}
	var headers []string
	for name := range strings.SplitSeq(h.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			headers = append(headers, name)
		}
	}
	r := rule(x, h.Get("Access-Control-Request-Method"), headers)
	if r == nil {
		return call.Fail("AccessForbidden", 403, "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
			call.With("Method", h.Get("Access-Control-Request-Method")), call.With("ResourceType", "BUCKET"))
	}
	cors(x, r)
	x.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	return x.OK(http.StatusOK)
}
