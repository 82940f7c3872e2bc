// Package flow answers Amazon EC2's operations on flow logs of VPCs, subnets and
// network interfaces. Who counts packets and delivers records is elsewhere: what
// becomes of delivery stands in each flow log's record.
package flow

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }

// CreateFlowLogs makes a flow log for each of the resources named. Those that
// cannot have one are told, and the others have theirs.
func (s *Handler) CreateFlowLogs(ctx context.Context, in *wire.CreateFlowLogsInput) (*wire.CreateFlowLogsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	f, err := read(in)
	if err != nil {
		return nil, err
	}
	if f.Tags, err = tag.Specified(in.TagSpecifications, call.FlowLogs.Type); err != nil {
		return nil, err
	}
	f.CreatedAt = s.Deps.Now().UTC()
	creation, err := call.CreationOf(in.ClientToken, "CreateFlowLogs", f.CreatedAt, in.ResourceIds, f.Traffic, f.Type, f.Destination, f.Group, f.Role, f.Format,
		f.Interval, f.Files, f.Tags)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, r := range in.ResourceIds {
		ids[r] = s.Deps.IDs.EC2(call.FlowLogs.Prefix)
	}
	out := &wire.CreateFlowLogsOutput{}
	err = s.Update(ctx, func(sc call.Scope) error {
		out.FlowLogIds, out.Unsuccessful = []string{}, []wire.UnsuccessfulItem{}
		made, found, err := creation.Made(sc)
		if err != nil || found {
			out.FlowLogIds = made
			return err
		}
		f.Account, f.Region = sc.Tenant()
		for _, r := range in.ResourceIds {
			if err := standing(sc, call.Val(in.ResourceType), r); err != nil {
				return err
			}
		}
		writable, err := s.bucket(sc, &f)
		if err != nil {
			return err
		}
		for _, r := range unique(in.ResourceIds) {
			f.ID, f.Resource = ids[r], r
			if !writable {
				out.Unsuccessful = append(out.Unsuccessful, denied(&f))
				continue
			}
			if err := add(sc, f); err != nil {
				return err
			}
			out.FlowLogIds = append(out.FlowLogIds, f.ID)
		}
		if len(out.FlowLogIds) == 0 {
			return nil
		}
		return creation.RememberAll(sc, out.FlowLogIds)
	})
	if err != nil {
		return nil, err
	}
	out.ClientToken = call.Optional(creation.Token)
	return out, nil
}

func unique(ids []string) (out []string) {
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			out = append(out, id)
		}
		seen[id] = true
	}
	return out
}

// standing refuses a resource that is not there.
func standing(sc call.Scope, kind, id string) (err error) {
	switch kind {
	case "VPC":
		_, err = call.Vpcs.Get(sc, id)
	case "Subnet":
		_, err = call.Subnets.Get(sc, id)
	default:
		_, err = call.Interfaces.Get(sc, id)
	}
	return err
}

// add stores a flow log unless there is one like it.
func add(sc call.Scope, f edge.FlowLog) error {
	for o, err := range edges.FlowLogs.By(sc.Tx, edges.FlowLogsByResource, f.Account, f.Region, f.Resource) {
		if err != nil {
			return err
		}
		if o.Type == f.Type && o.Group == f.Group && o.Traffic == f.Traffic && o.Destination == f.Destination {
			return shape.Errorf("FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
		}
	}
	return edges.FlowLogs.Put(sc.Tx, &f)
}

// denied says of a resource that its flow log could not be written.
func denied(f *edge.FlowLog) wire.UnsuccessfulItem {
	bucket, _ := f.Bucket()
	return wire.UnsuccessfulItem{ResourceId: new(f.Resource), Error: &wire.UnsuccessfulItemError{
		Code: new("400"), Message: new("Access Denied for LogDestination: " + bucket + ". Please check LogDestination permission"),
	}}
}

// DeleteFlowLogs ends flow logs: all of those named, or none where one is unknown.
// What they delivered stays.
func (s *Handler) DeleteFlowLogs(ctx context.Context, in *wire.DeleteFlowLogsInput) (*wire.DeleteFlowLogsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.FlowLogIds) == 0 {
		return nil, call.Missing("FlowLogId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		var absent []string
		for _, id := range unique(in.FlowLogIds) {
			_, found, err := edges.FlowLogs.Find(sc.Tx, account, region, id)
			switch {
			case err != nil:
				return err
			case !found:
				absent = append(absent, id)
				continue
			}
			if err := edges.FlowLogs.Delete(sc.Tx, account, region, id); err != nil {
				return err
			}
		}
		return unknown(absent)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteFlowLogsOutput{Unsuccessful: []wire.UnsuccessfulItem{}}, nil
}

// Delivery of a flow log, as it shows.
const (
	success = "SUCCESS"
	failed  = "FAILED"
)

func render(_ call.Scope, f *edge.FlowLog) (wire.FlowLog, error) {
	w := wire.FlowLog{
		CreationTime: &f.CreatedAt, DeliverLogsErrorMessage: call.Optional(f.Failure), DeliverLogsPermissionArn: call.Optional(f.Role),
		DeliverLogsStatus: new(success), FlowLogId: &f.ID, FlowLogStatus: new("ACTIVE"), LogDestination: call.Optional(f.Destination),
		LogDestinationType: &f.Type, LogFormat: &f.Format, LogGroupName: call.Optional(f.Group), MaxAggregationInterval: new(int32(f.Interval)),
		ResourceId: &f.Resource, Tags: tag.Listed(f.Tags), TrafficType: &f.Traffic,
	}
	if f.Failure != "" {
		w.DeliverLogsStatus = new(failed)
	}
	if f.Files != nil {
		w.DestinationOptions = &wire.DestinationOptionsResponse{
			FileFormat: new(plainText), HiveCompatiblePartitions: &f.Files.Hive, PerHourPartition: &f.Files.Hourly,
		}
	}
	return w, nil
}

var describe = call.Listing[edge.FlowLog, wire.FlowLog]{
	Op: "DescribeFlowLogs", Kind: call.FlowLogs, IDs: "FlowLogIds", Render: render,
	Narrow: map[string]string{"resource-id": edges.FlowLogsByResource},
	Filters: filter.Set{Tags: "Tags", Fields: map[string]string{
		"deliver-log-status": "DeliverLogsStatus", "log-destination-type": "LogDestinationType", "flow-log-id": "FlowLogId",
		"log-group-name": "LogGroupName", "resource-id": "ResourceId", "traffic-type": "TrafficType",
	}},
}

// DescribeFlowLogs lists flow logs. Of those named, it leaves out whom it does not
// know.
func (s *Handler) DescribeFlowLogs(ctx context.Context, in *wire.DescribeFlowLogsInput) (*wire.DescribeFlowLogsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	ids := in.FlowLogIds
	if len(ids) > 0 {
		known, err := s.known(ctx, ids)
		if err != nil {
			return nil, err
		}
		if len(known) == 0 {
			return &wire.DescribeFlowLogsOutput{FlowLogs: []wire.FlowLog{}}, nil
		}
		ids = known
	}
	out, next, err := describe.Run(ctx, s.Env, call.Page(ids, in.Filter, in.MaxResults, in.NextToken))
	return &wire.DescribeFlowLogsOutput{FlowLogs: out, NextToken: next}, err
}

// known are those of the ids that the caller has.
func (s *Handler) known(ctx context.Context, ids []string) (known []string, err error) {
	err = s.View(ctx, func(sc call.Scope) error {
		known = nil
		account, region := sc.Tenant()
		for _, id := range ids {
			_, found, err := edges.FlowLogs.Find(sc.Tx, account, region, id)
			if err != nil {
				return err
			}
			if found {
				known = append(known, id)
			}
		}
		return nil
	})
	return known, err
}

// unknown is the error for ids of no flow log; nil where there are none.
func unknown(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return shape.Errorf(call.FlowLogs.NotFound, "These flow log ids in the input list are not found: [TotalCount: %d] %s", len(ids), join(ids))
}
