package billing

import (
	"slices"
	"strings"
)

// Dimension is what is measured and has a price of its own: AWS's service code
// and the usage type without its region code.
type Dimension string

// The dimensions of Fargate. Source: AWS Price List, AmazonECS.
const (
	VCPU        Dimension = "AmazonECS Fargate-vCPU-Hours:perCPU"
	Memory      Dimension = "AmazonECS Fargate-GB-Hours"
	ARMVCPU     Dimension = "AmazonECS Fargate-ARM-vCPU-Hours:perCPU"
	ARMMemory   Dimension = "AmazonECS Fargate-ARM-GB-Hours"
	WinVCPU     Dimension = "AmazonECS Fargate-Windows-vCPU-Hours:perCPU"
	WinMemory   Dimension = "AmazonECS Fargate-Windows-GB-Hours"
	WinLicence  Dimension = "AmazonECS Fargate-Windows-OS-Hours:perCPU"
	Storage     Dimension = "AmazonECS Fargate-EphemeralStorage-GB-Hours"
	SpotVCPU    Dimension = "AmazonECS SpotUsage-Fargate-vCPU-Hours:perCPU"
	SpotMemory  Dimension = "AmazonECS SpotUsage-Fargate-GB-Hours"
	SpotARMVCPU Dimension = "AmazonECS SpotUsage-Fargate-ARM-vCPU-Hours:perCPU"
	SpotARMMem  Dimension = "AmazonECS SpotUsage-Fargate-ARM-GB-Hours"
)

// The dimensions of what tasks are used with. Records count them in things (public
// addresses, endpoints in a zone, NAT gateways) or in KiB.
const (
	External      Dimension = "AmazonECS ECS-Anywhere-Instance-hours"
	PublicIPv4    Dimension = "AmazonVPC PublicIPv4:InUseAddress"
	IdleIPv4      Dimension = "AmazonVPC PublicIPv4:IdleAddress"
	Endpoint      Dimension = "AmazonVPC VpcEndpoint-Hours"
	EndpointBytes Dimension = "AmazonVPC VpcEndpoint-Bytes"
	NAT           Dimension = "AmazonEC2 NatGateway-Hours"
	NATBytes      Dimension = "AmazonEC2 NatGateway-Bytes"
	LoadBalancer  Dimension = "AWSELB LoadBalancerUsage"
	LCU           Dimension = "AWSELB LCUUsage"
	ImageStorage  Dimension = "AmazonECR TimedStorage-ByteHrs"
	LogIngestion  Dimension = "AmazonCloudWatch DataProcessing-Bytes"
	LogStorage    Dimension = "AmazonCloudWatch TimedStorage-ByteHrs"
)

// The units prices are for, in the words of the price list. A price of Fargate
// may also be for a second, as AWS's page prints it.
const (
	hours     = "hours"
	gbHours   = "GB-Hours"
	seconds   = "seconds"
	gbSeconds = "GB-Seconds"
)

var units = map[Dimension]string{
	VCPU: hours, Memory: hours, ARMVCPU: hours, ARMMemory: hours, WinVCPU: hours, WinMemory: hours, WinLicence: hours,
	Storage: gbHours, SpotVCPU: hours, SpotMemory: hours, SpotARMVCPU: hours, SpotARMMem: hours,
	External: hours, PublicIPv4: "Hrs", IdleIPv4: "Hrs", Endpoint: "Hrs", EndpointBytes: "GB", NAT: "Hrs", NATBytes: "GB",
	LoadBalancer: "Hrs", LCU: "LCU-Hrs", ImageStorage: "GB-Mo", LogIngestion: "GB", LogStorage: "GB-Mo",
}

// unprefixed are the dimensions whose usage type has no region code in us-east-1,
// the first region.
var unprefixed = []Dimension{NAT, NATBytes, LoadBalancer, LCU, ImageStorage, LogStorage}

// Dimensions lists every dimension, in alphabetical order.
func Dimensions() []Dimension {
	var all []Dimension
	for d := range units {
		all = append(all, d)
	}
	slices.Sort(all)
	return all
}

// Service is the service code, e.g. AmazonECS.
func (d Dimension) Service() string { s, _, _ := strings.Cut(string(d), " "); return s }

// Usage is the usage type without the region code, e.g. Fargate-GB-Hours.
func (d Dimension) Usage() string { _, u, _ := strings.Cut(string(d), " "); return u }

// Unit is what a price is for: hours, GB-Hours, GB, …; "" for no dimension.
func (d Dimension) Unit() string { return units[d] }

// UsageType is the usage type of a region whose billing code is code, e.g.
// APN1-Fargate-GB-Hours.
func (d Dimension) UsageType(region, code string) string {
	if region == "us-east-1" && slices.Contains(unprefixed, d) {
		return d.Usage()
	}
	return code + "-" + d.Usage()
}

// Spot reports whether the dimension is of Spot capacity.
func (d Dimension) Spot() bool { return strings.HasPrefix(d.Usage(), "SpotUsage-") }

// Compute reports whether the dimension is vCPU or memory of Fargate on demand,
// which is what a Compute Savings Plan lowers.
func (d Dimension) Compute() bool {
	return slices.Contains([]Dimension{VCPU, Memory, ARMVCPU, ARMMemory, WinVCPU, WinMemory}, d)
}

// Kind is what of a task a dimension measures.
type Kind int

// The kinds that tasks use. KindOther is everything else, as the licence of
// Windows.
const (
	KindOther Kind = iota
	KindCPU
	KindMemory
	KindStorage
	KindAddress
)

// Kind is what the dimension measures.
func (d Dimension) Kind() Kind {
	switch d {
	case VCPU, ARMVCPU, WinVCPU, SpotVCPU, SpotARMVCPU:
		return KindCPU
	case Memory, ARMMemory, WinMemory, SpotMemory, SpotARMMem:
		return KindMemory
	case Storage:
		return KindStorage
	case PublicIPv4, IdleIPv4:
		return KindAddress
	}
	return KindOther
}
