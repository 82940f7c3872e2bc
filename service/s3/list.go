package s3

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"math"
	"net/url"
	"strconv"
	"strings"

	"neargate/resource/objects"
)

type xmlName = xml.Name

// owner is an account as documents name it.
type owner struct {
	ID string
}

// canonical is the canonical user id of an account.
func canonical(account string) owner {
	sum := sha256.Sum256([]byte("canonical user " + account))
	return owner{hex.EncodeToString(sum[:])}
}

// number reads a parameter that is a count.
func (x *request) number(name string, otherwise int) (int, error) {
	v := x.query.Get(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, invalidArgument("Provided "+name+" not an integer or within integer range", name, v)
	}
	if n < 0 {
		return 0, invalidArgument("Argument "+name+" must be an integer between 0 and "+strconv.Itoa(math.MaxInt32), name, v)
	}
	return min(int(n), objects.MaxPage), nil
}

// listing is what all listings of a bucket's keys have in common.
type listing struct {
	objects.Query
	encoding string
}

func (x *request) listing(count string) (l listing, err error) {
	l.Prefix, l.Delimiter, l.encoding = x.query.Get("prefix"), x.query.Get("delimiter"), x.query.Get("encoding-type")
	if l.encoding != "" && l.encoding != "url" {
		return l, invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", l.encoding)
	}
	l.Max, err = x.number(count, objects.MaxPage)
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
	Owner             *owner `xml:",omitempty"`
	StorageClass      string
}

func (l *listing) contents(items []objects.Version, who *owner) (out []listed) {
	for _, v := range items {
		out = append(out, listed{l.text(v.Key), stamp(v.Modified), quoted(v.ETag), string(v.Checksum.Algorithm), v.Checksum.Type, v.Size, who, class(v.Class)})
	}
	return out
}

type listV2Result struct {
	XMLName               xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
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
	l, err := x.listing("max-keys")
	if err != nil {
		return err
	}
	out := listV2Result{Name: x.bucket.Name, Prefix: l.text(l.Prefix), MaxKeys: l.Max, Delimiter: l.text(l.Delimiter), EncodingType: l.encoding,
		ContinuationToken: x.query.Get("continuation-token"), StartAfter: l.text(x.query.Get("start-after"))}
	l.After = x.query.Get("start-after")
	if x.query.Has("continuation-token") {
		if l.After, err = untoken(out.ContinuationToken); err != nil {
			return err
		}
	}
	page, err := x.cfg.Engine.List(x.bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out.KeyCount, out.IsTruncated = len(page.Items)+len(page.Prefixes), page.Truncated
	if page.Truncated {
		out.NextContinuationToken = token(page.Last)
	}
	var who *owner
	if x.query.Get("fetch-owner") == "true" {
		who = new(canonical(x.bucket.Account))
	}
	out.Contents, out.CommonPrefixes = l.contents(page.Items, who), l.prefixes(page.Prefixes)
	return x.write(out)
}

// token says where the next page begins. It gives no access, so nothing is sealed.
func token(last string) string { return base64.URLEncoding.EncodeToString([]byte("1" + last)) }

func untoken(t string) (string, error) {
	b, err := base64.URLEncoding.DecodeString(t)
	if err != nil || len(b) < 2 || b[0] != '1' {
		return "", invalidArgument("The continuation token provided is incorrect", "continuation-token", t)
	}
	return string(b[1:]), nil
}

type listV1Result struct {
	XMLName        xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
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
	l, err := x.listing("max-keys")
	if err != nil {
		return err
	}
	l.After = x.query.Get("marker")
	page, err := x.cfg.Engine.List(x.bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listV1Result{Name: x.bucket.Name, Prefix: l.text(l.Prefix), Marker: l.text(l.After), MaxKeys: l.Max, Delimiter: l.text(l.Delimiter),
		EncodingType: l.encoding, IsTruncated: page.Truncated}
	if page.Truncated && l.Delimiter != "" {
		out.NextMarker = l.text(page.Last)
	}
	out.Contents, out.CommonPrefixes = l.contents(page.Items, new(canonical(x.bucket.Account))), l.prefixes(page.Prefixes)
	return x.write(out)
}

type listVersionsResult struct {
	XMLName             xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
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
	XMLName           xmlName
	Key               string
	VersionId         string
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64 `xml:",omitempty"`
	Owner             owner
	StorageClass      string `xml:",omitempty"`
}

func listObjectVersions(x *request) error {
	l, err := x.listing("max-keys")
	if err != nil {
		return err
	}
	l.After, l.AfterVersion = x.query.Get("key-marker"), x.query.Get("version-id-marker")
	if l.AfterVersion != "" && l.After == "" {
		return invalidArgument("A version-id marker cannot be specified without a key marker.", "version-id-marker", l.AfterVersion)
	}
	page, err := x.cfg.Engine.Versions(x.bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listVersionsResult{Name: x.bucket.Name, Prefix: l.text(l.Prefix), KeyMarker: l.text(l.After), VersionIdMarker: l.AfterVersion, MaxKeys: l.Max,
		Delimiter: l.text(l.Delimiter), EncodingType: l.encoding, IsTruncated: page.Truncated}
	if page.Truncated {
		out.NextKeyMarker, out.NextVersionIdMarker = l.text(page.Last), page.LastVersion
	}
	for _, v := range page.Items {
		item := listedVersion{XMLName: xmlName{Local: "DeleteMarker"}, Key: l.text(v.Key), VersionId: v.ID, IsLatest: v.Latest, LastModified: stamp(v.Modified), Owner: canonical(x.bucket.Account)}
		if !v.Marker {
			item.XMLName.Local, item.ETag, item.Size, item.StorageClass = "Version", quoted(v.ETag), &v.Size, class(v.Class)
			item.ChecksumAlgorithm, item.ChecksumType = string(v.Checksum.Algorithm), v.Checksum.Type
		}
		out.Versions = append(out.Versions, item)
	}
	out.CommonPrefixes = l.prefixes(page.Prefixes)
	return x.write(out)
}
