package arn

import (
	"slices"
	"strings"
)

// DefaultRegion is used where a request names none.
const DefaultRegion = "us-east-1"

// DefaultAccount is the first account of an installation.
const DefaultAccount = "123456789012"

// region is one AWS region: its zone letters and the prefix of its zone ids.
type region struct{ name, zones, zoneID string }

// Source: AWS Regions and Availability Zones documentation, zone letters as
// offered to a new account.
var regions = []region{
	{"af-south-1", "abc", "afs1"}, {"ap-east-1", "abc", "ape1"}, {"ap-east-2", "abc", "ape2"},
	{"ap-northeast-1", "acd", "apne1"}, {"ap-northeast-2", "abcd", "apne2"}, {"ap-northeast-3", "abc", "apne3"},
	{"ap-south-1", "abc", "aps1"}, {"ap-south-2", "abc", "aps2"}, {"ap-southeast-1", "abc", "apse1"},
	{"ap-southeast-2", "abc", "apse2"}, {"ap-southeast-3", "abc", "apse3"}, {"ap-southeast-4", "abc", "apse4"},
	{"ap-southeast-5", "abc", "apse5"}, {"ap-southeast-6", "abc", "apse6"}, {"ap-southeast-7", "abc", "apse7"},
	{"ca-central-1", "abd", "cac1"}, {"ca-west-1", "abc", "caw1"}, {"cn-north-1", "abd", "cnn1"},
	{"cn-northwest-1", "abc", "cnnw1"}, {"eu-central-1", "abc", "euc1"}, {"eu-central-2", "abc", "euc2"},
	{"eu-north-1", "abc", "eun1"}, {"eu-south-1", "abc", "eus1"}, {"eu-south-2", "abc", "eus2"},
	{"eu-west-1", "abc", "euw1"}, {"eu-west-2", "abc", "euw2"}, {"eu-west-3", "abc", "euw3"},
	{"il-central-1", "abc", "ilc1"}, {"me-central-1", "abc", "mec1"}, {"me-south-1", "abc", "mes1"},
	{"mx-central-1", "abc", "mxc1"}, {"sa-east-1", "abc", "sae1"}, {"us-east-1", "abcdef", "use1"},
	{"us-east-2", "abc", "use2"}, {"us-gov-east-1", "abc", "usge1"}, {"us-gov-west-1", "abc", "usgw1"},
	{"us-west-1", "ac", "usw1"}, {"us-west-2", "abcd", "usw2"},
}

// Zone is an availability zone.
type Zone struct {
	Name string // e.g. us-east-1a
	ID   string // e.g. use1-az1
}

// Regions lists every region name AWS knows, sorted.
func Regions() []string {
	names := make([]string, len(regions))
	for i, r := range regions {
		names[i] = r.name
	}
	return names
}

// KnownRegion reports whether name is an AWS region.
func KnownRegion(name string) bool { return find(name) >= 0 }

// Zones lists the availability zones of a region, by name; nil for an unknown
// region.
func Zones(name string) []Zone {
	i := find(name)
	if i < 0 {
		return nil
	}
	var zones []Zone
	for n, letter := range regions[i].zones {
		zones = append(zones, Zone{name + string(letter), regions[i].zoneID + "-az" + string(rune('1'+n))})
	}
	return zones
}

// Partition returns the partition of a region: aws, aws-cn or aws-us-gov.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// DNSSuffix returns the domain of a region's service endpoints.
func DNSSuffix(region string) string {
	if Partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// ValidAccount reports whether id is a 12-digit account id.
func ValidAccount(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}

func find(name string) int {
	i, ok := slices.BinarySearchFunc(regions, name, func(r region, n string) int { return strings.Compare(r.name, n) })
	if !ok {
		return -1
	}
	return i
}
