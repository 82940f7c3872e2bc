package target

import (
	"slices"
	"strings"

	"neargate/auth/policy"
	"neargate/resource/zone"
)

// route53Rules are those of Amazon Route 53.
var route53Rules = rules{
	resources: merge(
		each(func(in Input) []string { return []string{hostedZone(in.text("HostedZoneId"))} },
			"AssociateVPCWithHostedZone", "ChangeResourceRecordSets", "CreateVPCAssociationAuthorization", "DeleteVPCAssociationAuthorization",
			"DisassociateVPCFromHostedZone", "GetDNSSEC", "GetHostedZoneLimit", "ListResourceRecordSets", "ListVPCAssociationAuthorizations"),
		each(func(in Input) []string { return []string{hostedZone(in.text("Id"))} },
			"DeleteHostedZone", "GetHostedZone", "UpdateHostedZoneComment"),
		each(func(in Input) []string {
			return []string{"arn:aws:route53:::change/" + strings.TrimPrefix(in.text("Id"), "/change/")}
		}, "GetChange"),
		each(func(in Input) []string { return tagged53(in, in.text("ResourceId")) }, "ChangeTagsForResource", "ListTagsForResource"),
		each(func(in Input) []string { return tagged53(in, in.list("ResourceIds")...) }, "ListTagsForResources"),
	),
	context: func(in Input, operation string, keys policy.Context) {
		switch operation {
		case "ChangeResourceRecordSets":
			changeKeys(in, keys)
		case "AssociateVPCWithHostedZone", "CreateHostedZone", "CreateVPCAssociationAuthorization", "DeleteVPCAssociationAuthorization",
			"DisassociateVPCFromHostedZone", "ListHostedZonesByVPC":
			v, of := in.field(in.Value, "VPC"), in
			if v.IsValid() {
				of.Value = v
			}
			if id := of.text("VPCId"); id != "" {
				keys.Set("route53:VPCs", "VPCId="+id+",VPCRegion="+of.text("VPCRegion"))
			}
		}
	},
}

func hostedZone(id string) string { return zone.ARN(strings.TrimPrefix(id, "/hostedzone/")) }

// tagged53 are the ARNs of resources whose tags a request is about.
func tagged53(in Input, ids ...string) (all []string) {
	for _, id := range ids {
		if in.text("ResourceType") == "healthcheck" {
			all = append(all, "arn:aws:route53:::healthcheck/"+id)
			continue
		}
		all = append(all, hostedZone(id))
	}
	return all
}

// changeKeys sets the condition keys about what a batch of changes holds: names
// without the last dot, as Route 53 normalizes them.
func changeKeys(in Input, keys policy.Context) {
	var names, types, actions []string
	add := func(to *[]string, s string) {
		if s != "" && !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	batch := in
	batch.Value = in.field(in.Value, "ChangeBatch")
	for _, c := range batch.all("Changes") {
		set := in.field(c, "ResourceRecordSet")
		add(&actions, asText(in.field(c, "Action")))
		add(&types, asText(in.field(set, "Type")))
		if name, err := zone.Canonical(asText(in.field(set, "Name"))); err == nil {
			add(&names, strings.TrimSuffix(name, "."))
		}
	}
	keys.Set("route53:ChangeResourceRecordSetsNormalizedRecordNames", names...)
	keys.Set("route53:ChangeResourceRecordSetsRecordTypes", types...)
	keys.Set("route53:ChangeResourceRecordSetsActions", actions...)
}
