package estimate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// template is a CloudFormation template that is being made a plan of.
type template struct {
	scope
	plan     Plan
	services int
	used     map[string]bool // task definitions that services run
}

// Template reads a CloudFormation template, as JSON or YAML: services with their
// tasks, and what costs by the hour beside them. What it does not understand is
// in the plan's notes.
func Template(b []byte, region string, given map[string]string) (Plan, error) {
	if len(b) > maxDocument {
		return Plan{}, fmt.Errorf("template: more than %d bytes", maxDocument)
	}
	plan, err := readPlan(b, region, given)
	if err != nil {
		return Plan{}, fmt.Errorf("template: %w", err)
	}
	return plan, nil
}

func readPlan(b []byte, region string, given map[string]string) (Plan, error) {
	doc, err := readTemplate(b)
	if err != nil {
		return Plan{}, fmt.Errorf("format error: %w", err)
	}
	section := func(name string) map[string]any { m, _ := doc[name].(map[string]any); return m }
	if len(section("Resources")) == 0 {
		return Plan{}, errors.New("format error: At least one Resources member must be defined")
	}
	values, err := parameters(section("Parameters"), given)
	if err != nil {
		return Plan{}, err
	}
	t := &template{used: map[string]bool{}, scope: scope{
		region: region, parameters: values, mappings: section("Mappings"),
		conditions: section("Conditions"), resources: section("Resources"), decided: map[string]any{},
	}}
	if doc["Transform"] != nil {
		t.note("Transform", "macros may add resources, which are not seen here")
	}
	ids := slices.Sorted(maps.Keys(t.resources))
	for _, id := range ids {
		if err := t.resource(id); err != nil {
			return Plan{}, fmt.Errorf("%s: %w", id, err)
		}
	}
	for _, id := range ids {
		if r, exists, _ := t.get(id); exists && r.kind == "AWS::ECS::TaskDefinition" && !t.used[id] {
			if err := t.unused(id); err != nil {
				return Plan{}, fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	return t.plan, nil
}

func (t *template) note(id, format string, args ...any) {
	t.plan.Notes = append(t.plan.Notes, id+": "+fmt.Sprintf(format, args...))
}

func (t *template) add(id, what string, count int64, d billing.Dimension) {
	if count > 0 {
		t.plan.Items = append(t.plan.Items, Item{Name: id + ": " + what, Count: count, Use: billing.Use{Dimension: d, Amount: billing.Int(1)}})
	}
}

// found is a resource whose properties are evaluated.
type found struct {
	kind       string
	properties map[string]any
	unsure     string // why it is not known whether it exists
}

// get is a resource of the template; exists is false where its condition is, or
// is not known.
func (t *template) get(id string) (r found, exists bool, err error) {
	m, ok := t.resources[id].(map[string]any)
	if r.kind, _ = m["Type"].(string); !ok || r.kind == "" {
		return r, false, errors.New("format error: a resource needs a Type")
	}
	if c, ok := m["Condition"].(string); ok {
		switch v := t.condition(map[string]any{"Condition": c}, 0).(type) {
		case bool:
			if !v {
				return r, false, nil
			}
		case unknown:
			r.unsure = string(v)
			return r, false, nil
		}
	}
	r.properties, _ = t.value(m["Properties"]).(map[string]any)
	return r, true, nil
}

// free are resources that cost nothing, or nothing here: by type, or by the
// beginning of it.
var free = []string{
	"AWS::IAM::", "AWS::CloudFormation::WaitCondition", "AWS::ECS::Cluster", "AWS::ECS::CapacityProvider", "AWS::ECS::PrimaryTaskSet",
	"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::Route", "AWS::EC2::InternetGateway", "AWS::EC2::SecurityGroup", "AWS::EC2::NetworkAcl",
	"AWS::EC2::PrefixList", "AWS::EC2::DHCPOptions", "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::TargetGroup",
	"AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::Logs::ResourcePolicy", "AWS::ECR::RepositoryPolicy",
}

// resource adds what a resource costs to the plan, or says that it is not there.
func (t *template) resource(id string) error {
	if strings.HasPrefix(id, "Fn::") {
		t.note(id, "loops are not understood")
		return nil
	}
	r, exists, err := t.get(id)
	if r.unsure != "" {
		t.note(id, "whether it will exist is not known: %s", r.unsure)
	}
	if err != nil || !exists {
		return err
	}
	p := r.properties
	switch r.kind {
	case "AWS::ECS::TaskDefinition":
		return nil // priced by what runs it
	case "AWS::ECS::Service":
		t.services++
		return t.service(id, p)
	case "AWS::EC2::NatGateway":
		t.add(id, "NAT gateway", 1, billing.NAT)
		t.note(id, "what passes through it costs %s by the GB", billing.NATBytes.Usage())
	case "AWS::EC2::EIP":
		t.add(id, "public IPv4 address", 1, billing.PublicIPv4)
	case "AWS::EC2::VPCEndpoint":
		t.endpoint(id, p)
	case "AWS::ElasticLoadBalancingV2::LoadBalancer":
		t.balancer(id, p)
	case "AWS::ApplicationAutoScaling::ScalableTarget":
		t.note(id, "scaling between %s and %s is not foreseen; DesiredCount is priced", show(p["MinCapacity"]), show(p["MaxCapacity"]))
	case "AWS::Logs::LogGroup":
		t.note(id, "log events cost %s and %s by the GB", billing.LogIngestion.Usage(), billing.LogStorage.Usage())
	case "AWS::ECR::Repository":
		t.note(id, "images cost %s by the GB", billing.ImageStorage.Usage())
	default:
		if !slices.ContainsFunc(free, func(f string) bool { return strings.HasPrefix(r.kind, f) }) {
			t.note(id, "%s is not understood", r.kind)
		}
	}
	return nil
}

// show prints a value, or that it is not known.
func show(v any) string {
	if s, ok := scalar(v); ok {
		return s
	}
	return "?"
}

func (t *template) endpoint(id string, p map[string]any) {
	kind, ok := scalar(p["VpcEndpointType"])
	if p["VpcEndpointType"] == nil {
		kind, ok = "Gateway", true
	}
	switch {
	case kind == "Interface":
		t.add(id, "interface endpoint, by subnet", t.subnets(id, p["SubnetIds"]), billing.Endpoint)
		t.note(id, "what passes through it costs %s by the GB", billing.EndpointBytes.Usage())
	case kind != "Gateway" || !ok:
		t.note(id, "an endpoint of type %s is not understood", show(p["VpcEndpointType"]))
	}
}

func (t *template) balancer(id string, p map[string]any) {
	if kind, ok := scalar(p["Type"]); p["Type"] != nil && (!ok || kind != "application") {
		t.note(id, "a load balancer of type %s is not understood", show(p["Type"]))
		return
	}
	t.add(id, "Application Load Balancer", 1, billing.LoadBalancer)
	t.note(id, "traffic costs %s by the LCU-hour", billing.LCU.Usage())
	if scheme, ok := scalar(p["Scheme"]); p["Scheme"] == nil || ok && scheme == "internet-facing" {
		subnets := p["Subnets"]
		if subnets == nil {
			subnets = p["SubnetMappings"]
		}
		t.add(id, "public IPv4 address, by subnet", t.subnets(id, subnets), billing.PublicIPv4)
	}
}

// subnets counts a list of subnets; one that only a deployment tells counts as 1.
func (t *template) subnets(id string, v any) int64 {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return int64(len(list))
	}
	t.note(id, "its subnets are not known; it is priced as in one")
	return 1
}

// service prices the tasks a service wants.
func (t *template) service(id string, p map[string]any) error {
	count, err := t.desired(p)
	if err != nil {
		return err
	}
	split, err := t.split(p, count)
	if err != nil {
		return err
	}
	if split == nil {
		t.note(id, "neither a launch type nor a capacity provider of the template puts its tasks on Fargate")
		return nil
	}
	ref, ok := p["TaskDefinition"].(reference)
	if !ok {
		t.note(id, "its task definition is not in the template")
		return nil
	}
	size, err := t.definition(string(ref))
	if err != nil {
		return fmt.Errorf("property TaskDefinition: %s: %w", ref, err)
	}
	t.used[string(ref)] = true
	for _, provider := range []string{compute.Fargate, compute.FargateSpot} {
		n := split[provider]
		if n == 0 && (provider == compute.FargateSpot || count > 0) {
			continue
		}
		s := size
		s.Spot = provider == compute.FargateSpot
		if err := s.Check(); err != nil {
			return fmt.Errorf("property TaskDefinition: %s: %w", ref, err)
		}
		t.plan.Items = append(t.plan.Items, Item{Name: id + ": task of " + Describe(s), Count: int64(n), Size: &s})
	}
	network, _ := p["NetworkConfiguration"].(map[string]any)
	vpc, _ := network["AwsvpcConfiguration"].(map[string]any)
	if public, _ := scalar(vpc["AssignPublicIp"]); public == "ENABLED" {
		t.add(id, "public IPv4 address, by task", int64(count), billing.PublicIPv4)
	}
	return nil
}

// maxDesired is the most tasks a service may want. Source: Amazon ECS quotas.
const maxDesired = 5000

func (t *template) desired(p map[string]any) (int, error) {
	if p["DesiredCount"] == nil {
		return 1, nil
	}
	if why, ok := p["DesiredCount"].(unknown); ok {
		return 0, fmt.Errorf("property DesiredCount: %s", why)
	}
	n, err := strconv.Atoi(text(p["DesiredCount"]))
	if err != nil || n < 0 || n > maxDesired {
		return 0, fmt.Errorf("property DesiredCount: %q is not between 0 and %d", text(p["DesiredCount"]), maxDesired)
	}
	return n, nil
}

// split says how many tasks each of Fargate's capacity providers gets; nil when
// the service is not for Fargate.
func (t *template) split(p map[string]any, count int) (map[string]int, error) {
	if launch, ok := p["LaunchType"]; ok {
		if why, ok := launch.(unknown); ok {
			return nil, fmt.Errorf("property LaunchType: %s", why)
		}
		if text(launch) != "FARGATE" {
			return nil, nil
		}
		return map[string]int{compute.Fargate: count}, nil
	}
	items, _ := p["CapacityProviderStrategy"].([]any)
	if len(items) == 0 {
		items = t.clusterDefault(p["Cluster"])
	}
	var strategy []compute.StrategyItem
	for _, it := range items {
		m, _ := it.(map[string]any)
		s := compute.StrategyItem{Provider: text(m["CapacityProvider"])}
		for field, to := range map[string]*int{"Base": &s.Base, "Weight": &s.Weight} {
			if m[field] == nil {
				continue
			}
			n, err := strconv.Atoi(text(m[field]))
			if err != nil || n < 0 || n > 100_000 {
				return nil, fmt.Errorf("property CapacityProviderStrategy: %s: %q is no such number", field, show(m[field]))
			}
			*to = n
		}
		strategy = append(strategy, s)
	}
	have := map[string]int{}
	for range count {
		have[compute.NextProvider(strategy, have)]++
	}
	for provider := range have {
		if provider != compute.Fargate && provider != compute.FargateSpot {
			return nil, nil
		}
	}
	if len(strategy) == 0 {
		return nil, nil // EC2, which is the launch type where none is said
	}
	return have, nil
}

// clusterDefault is the default strategy of a cluster of the template.
func (t *template) clusterDefault(cluster any) []any {
	id, ok := cluster.(reference)
	if !ok {
		return nil
	}
	if r, exists, err := t.get(string(id)); err == nil && exists {
		if s, ok := r.properties["DefaultCapacityProviderStrategy"].([]any); ok {
			return s
		}
	}
	for other := range t.resources {
		r, exists, err := t.get(other)
		if err == nil && exists && r.kind == "AWS::ECS::ClusterCapacityProviderAssociations" && r.properties["Cluster"] == cluster {
			s, _ := r.properties["DefaultCapacityProviderStrategy"].([]any)
			return s
		}
	}
	return nil
}

// unused prices a task definition that no service runs: as one task where there
// are no services at all.
func (t *template) unused(id string) error {
	if t.services > 0 {
		t.note(id, "no service of the template runs it")
		return nil
	}
	size, err := t.definition(id)
	if err == nil {
		err = size.Check()
	}
	if err != nil {
		return err
	}
	t.plan.Items = append(t.plan.Items, Item{Name: id + ": task of " + Describe(size), Count: 1, Size: &size})
	return nil
}

// definition is the size of a task definition of the template.
func (t *template) definition(id string) (billing.Size, error) {
	var s billing.Size
	r, exists, err := t.get(id)
	switch {
	case err != nil:
		return s, err
	case !exists || r.kind != "AWS::ECS::TaskDefinition":
		return s, errors.New("it is no task definition")
	}
	fields := map[string]string{}
	read := func(name string, v any) {
		if why, ok := v.(unknown); ok && err == nil {
			err = fmt.Errorf("property %s: %s", name, why)
		}
		fields[name] = text(v)
	}
	storage, _ := r.properties["EphemeralStorage"].(map[string]any)
	platform, _ := r.properties["RuntimePlatform"].(map[string]any)
	read("Cpu", r.properties["Cpu"])
	read("Memory", r.properties["Memory"])
	read("SizeInGiB", storage["SizeInGiB"])
	read("CpuArchitecture", platform["CpuArchitecture"])
	read("OperatingSystemFamily", platform["OperatingSystemFamily"])
	if err != nil {
		return s, err
	}
	var ok bool
	if s.CPU, ok = taskdef.ParseCPU(fields["Cpu"]); !ok {
		return s, fmt.Errorf("property Cpu: %q is no size of a task", fields["Cpu"])
	}
	if s.Memory, ok = taskdef.ParseMemory(fields["Memory"]); !ok {
		return s, fmt.Errorf("property Memory: %q is no size of a task", fields["Memory"])
	}
	if n := fields["SizeInGiB"]; n != "" {
		if s.StorageGiB, err = strconv.Atoi(n); err != nil || s.StorageGiB < 1 {
			return s, fmt.Errorf("property EphemeralStorage: SizeInGiB: %q is no size", n)
		}
	}
	s.Architecture, s.OSFamily = fields["CpuArchitecture"], fields["OperatingSystemFamily"]
	return s, nil
}
