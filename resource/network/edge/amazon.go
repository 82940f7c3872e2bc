package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"neargate/resource/network"
)

// objects is the name of Amazon S3 in names of services and prefix lists.
const objects = "s3"

// AmazonPrefixLists are the prefix lists that AWS itself has in a region of an
// installation with the public range pool. They belong to the account "AWS" and
// their version is 1.
func AmazonPrefixLists(region string, pool netip.Prefix) []PrefixList {
	return []PrefixList{{
		Account: "AWS", Region: region, ID: amazonID(region, objects), Name: ServiceName(region, objects), Family: "IPv4", Version: 1,
		Entries: []PrefixEntry{{CIDR: network.ObjectRange(pool).String()}},
	}}
}

// AmazonPrefixList is the prefix list of AWS with an id.
func AmazonPrefixList(region string, pool netip.Prefix, id string) (PrefixList, bool) {
	for _, l := range AmazonPrefixLists(region, pool) {
		if l.ID == id {
			return l, true
		}
	}
	return PrefixList{}, false
}

// ServiceName is the name of an endpoint service of AWS, such as
// com.amazonaws.us-east-1.ecr.api.
func ServiceName(region, service string) string { return "com.amazonaws." + region + "." + service }

func amazonID(region, service string) string {
	h := sha256.Sum256([]byte("pl/" + region + "/" + service))
	return "pl-" + hex.EncodeToString(h[:4])
}
