package bucket

import (
	"net/url"
	"strings"

	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
)

// listing is what all listings of a bucket's keys have in common.
type listing struct {
	objects.Query
	encoding string
}

func newListing(x *request, count string) (l listing, err error) {
	l.Prefix, l.Delimiter, l.encoding = x.Query.Get("prefix"), x.Query.Get("delimiter"), x.Query.Get("encoding-type")
	if l.encoding != "" && l.encoding != "url" {
		return l, call.InvalidArgument("Invalid Encoding Method specified in Request", "encoding-type", l.encoding)
	}
	l.Max, err = x.Number(count, objects.MaxPage)
	return l, err
}

// text is a name in the answer, encoded if the request asks for it.
func (l *listing) text(s string) string {
	if l.encoding == "" {
		return s
	}
	return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
}

type commonPrefix struct{ Prefix string }

func (l *listing) prefixes(all []string) (out []commonPrefix) {
	for _, p := range all {
		out = append(out, commonPrefix{l.text(p)})
	}
	return out
}

type listed struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             *call.Owner `xml:",omitempty"`
	StorageClass      string
}

func (l *listing) contents(items []objects.Version, who *call.Owner) (out []listed) {
	for _, v := range items {
		out = append(out, listed{l.text(v.Key), call.Stamp(v.Modified), call.Quoted(v.ETag), string(v.Checksum.Algorithm), v.Checksum.Type, v.Size, who, call.Class(v.Class)})
	}
	return out
}

type listV2Result struct {
	XMLName               call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	KeyCount              int
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	Contents              []listed
	CommonPrefixes        []commonPrefix
}

func listObjectsV2(x *request) error {
	l, err := newListing(x, "max-keys")
	if err != nil {
		return err
	}
	out := listV2Result{Name: x.Bucket.Name, Prefix: l.text(l.Prefix), MaxKeys: l.Max, Delimiter: l.text(l.Delimiter), EncodingType: l.encoding,
		ContinuationToken: x.Query.Get("continuation-token"), StartAfter: l.text(x.Query.Get("start-after"))}
	l.After = x.Query.Get("start-after")
	if x.Query.Has("continuation-token") {
		if l.After, err = call.Untoken(out.ContinuationToken); err != nil {
			return err
		}
	}
	page, err := x.Engine.List(x.Bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out.KeyCount, out.IsTruncated = len(page.Items)+len(page.Prefixes), page.Truncated
	if page.Truncated {
		out.NextContinuationToken = call.Token(page.Last)
	}
	var who *call.Owner
	if x.Query.Get("fetch-owner") == "true" {
		who = new(call.Canonical(x.Bucket.Account))
	}
	out.Contents, out.CommonPrefixes = l.contents(page.Items, who), l.prefixes(page.Prefixes)
	return x.Write(out)
}

type listV1Result struct {
	XMLName        call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name           string
	Prefix         string
	Marker         string
	NextMarker     string `xml:",omitempty"`
	MaxKeys        int
	Delimiter      string `xml:",omitempty"`
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	Contents       []listed
	CommonPrefixes []commonPrefix
}

func listObjects(x *request) error {
	l, err := newListing(x, "max-keys")
	if err != nil {
		return err
	}
	l.After = x.Query.Get("marker")
	page, err := x.Engine.List(x.Bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listV1Result{Name: x.Bucket.Name, Prefix: l.text(l.Prefix), Marker: l.text(l.After), MaxKeys: l.Max, Delimiter: l.text(l.Delimiter),
		EncodingType: l.encoding, IsTruncated: page.Truncated}
	if page.Truncated && l.Delimiter != "" {
		out.NextMarker = l.text(page.Last)
	}
	out.Contents, out.CommonPrefixes = l.contents(page.Items, new(call.Canonical(x.Bucket.Account))), l.prefixes(page.Prefixes)
	return x.Write(out)
}

type listVersionsResult struct {
	XMLName             call.XMLName `xml:"ListVersionsResult"`
	Xmlns               string       `xml:"xmlns,attr"`
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIdMarker     string
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIdMarker string `xml:",omitempty"`
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Versions            []listedVersion
	CommonPrefixes      []commonPrefix
}

type listedVersion struct {
	XMLName           call.XMLName
	Key               string
	VersionId         string
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64 `xml:",omitempty"`
	Owner             call.Owner
	StorageClass      string `xml:",omitempty"`
}

func listObjectVersions(x *request) error {
	l, err := newListing(x, "max-keys")
	if err != nil {
		return err
	}
	l.After, l.AfterVersion = x.Query.Get("key-marker"), x.Query.Get("version-id-marker")
	if l.AfterVersion != "" && l.After == "" {
		return call.InvalidArgument("A version-id marker cannot be specified without a key marker.", "version-id-marker", l.AfterVersion)
	}
	page, err := x.Engine.Versions(x.Bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listVersionsResult{Xmlns: call.Namespace, Name: x.Bucket.Name, Prefix: l.text(l.Prefix), KeyMarker: l.text(l.After), VersionIdMarker: l.AfterVersion, MaxKeys: l.Max,
		Delimiter: l.text(l.Delimiter), EncodingType: l.encoding, IsTruncated: page.Truncated}
	if page.Truncated {
		out.NextKeyMarker, out.NextVersionIdMarker = l.text(page.Last), page.LastVersion
	}
	for _, v := range page.Items {
		item := listedVersion{XMLName: call.XMLName{Local: "DeleteMarker"}, Key: l.text(v.Key), VersionId: v.ID, IsLatest: v.Latest, LastModified: call.Stamp(v.Modified), Owner: call.Canonical(x.Bucket.Account)}
		if !v.Marker {
			item.XMLName.Local, item.ETag, item.Size, item.StorageClass = "Version", call.Quoted(v.ETag), &v.Size, call.Class(v.Class)
			item.ChecksumAlgorithm, item.ChecksumType = string(v.Checksum.Algorithm), v.Checksum.Type
		}
		out.Versions = append(out.Versions, item)
	}
	out.CommonPrefixes = l.prefixes(page.Prefixes)
	return x.Write(out)
}

type listUploadsResult struct {
	XMLName            call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIdMarker     string
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIdMarker string `xml:",omitempty"`
	Prefix             string `xml:",omitempty"`
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []listedUpload `xml:"Upload"`
	CommonPrefixes     []commonPrefix
}

type listedUpload struct {
	Key               string
	UploadId          string
	Initiator         call.Initiator
	Owner             call.Owner
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func listMultipartUploads(x *request) error {
	l, err := newListing(x, "max-uploads")
	if err != nil {
		return err
	}
	l.After = x.Query.Get("key-marker")
	if l.After != "" { // without it an upload-id-marker is ignored
		l.AfterVersion = x.Query.Get("upload-id-marker")
	}
	page, err := x.Engine.Uploads(x.Bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listUploadsResult{Bucket: x.Bucket.Name, KeyMarker: l.text(l.After), UploadIdMarker: l.AfterVersion, Prefix: l.text(l.Prefix), Delimiter: l.text(l.Delimiter),
		EncodingType: l.encoding, MaxUploads: l.Max, IsTruncated: page.Truncated}
	if page.Truncated {
		out.NextKeyMarker, out.NextUploadIdMarker = l.text(page.Last), page.LastVersion
	}
	for _, u := range page.Items {
		out.Uploads = append(out.Uploads, listedUpload{Key: l.text(u.Key), UploadId: u.ID, Initiator: call.Initiator(call.Canonical(u.Account)), Owner: call.Canonical(x.Bucket.Account),
			StorageClass: call.Class(u.Class), Initiated: call.Stamp(u.Initiated), ChecksumAlgorithm: string(u.Checksum.Algorithm), ChecksumType: u.Checksum.Type})
	}
	out.CommonPrefixes = l.prefixes(page.Prefixes)
	return x.Write(out)
}
