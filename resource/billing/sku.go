package billing

import (
	"crypto/sha256"
	"encoding/base32"
)

// skus are AWS's own in us-east-1. Source: AWS Price List, AmazonECS.
var skus = map[Dimension]string{
	VCPU: "8CESGAFWKAJ98PME", Memory: "PBZNQUSEXZUC34C9", ARMVCPU: "XSZATS4VYMDC9CYN", ARMMemory: "UNH9KPQP7W7C66C9",
	WinVCPU: "RF2BUTAD289DREDC", WinMemory: "8QDMJPGQCM368Z6X", WinLicence: "9D3ZWXRS2VXMZET6", Storage: "7KPDPTDSCT4J3Z64",
	External: "WTG8RAG79KP7K3N8",
}

// SKU is the stock keeping unit of a dimension in a region: AWS's where it is
// known, else one of the same form that stays the same.
func (d Dimension) SKU(region string) string {
	if sku, ok := skus[d]; ok && region == "us-east-1" {
		return sku
	}
	h := sha256.Sum256([]byte(region + " " + string(d)))
	return base32.StdEncoding.EncodeToString(h[:10])
}

// RateCode is the code of the one price on demand of a SKU.
func RateCode(sku string) (offer, rate string) {
	return sku + ".JRTCKXETXF", sku + ".JRTCKXETXF.6YS6EN2CT7"
}

// Location is what AWS's price list calls a region; "" where that is not known.
func Location(region string) string { return locations[region] }

var locations = map[string]string{
	"af-south-1": "Africa (Cape Town)", "ap-east-1": "Asia Pacific (Hong Kong)", "ap-northeast-1": "Asia Pacific (Tokyo)",
	"ap-northeast-2": "Asia Pacific (Seoul)", "ap-south-1": "Asia Pacific (Mumbai)", "ap-southeast-1": "Asia Pacific (Singapore)",
	"ap-southeast-2": "Asia Pacific (Sydney)", "ca-central-1": "Canada (Central)", "eu-central-1": "EU (Frankfurt)",
	"eu-north-1": "EU (Stockholm)", "eu-south-1": "EU (Milan)", "eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)",
	"eu-west-3": "EU (Paris)", "me-south-1": "Middle East (Bahrain)", "sa-east-1": "South America (Sao Paulo)",
	"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-gov-east-1": "AWS GovCloud (US-East)",
	"us-gov-west-1": "AWS GovCloud (US-West)", "us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)",
}
