package logs

import (
	"context"

	"neargate/arn"
	api "neargate/aws/logs"
	"neargate/store"
)

// What delivers logs elsewhere: to Kinesis, Firehose and Lambda. None of them is
// here, so no stream or function exists, and the operations answer what AWS does in
// that case.

// PutSubscriptionFilter finds nothing to deliver to.
func (s *Service) PutSubscriptionFilter(ctx context.Context, in *api.PutSubscriptionFilterInput) (*api.PutSubscriptionFilterOutput, error) {
	if _, err := compile(*in.FilterPattern, "Invalid filter pattern"); err != nil {
		return nil, err
	}
	a, err := arn.Parse(*in.DestinationArn)
	if err != nil {
		return nil, api.InvalidParameterException("Invalid destinationArn: " + *in.DestinationArn)
	}
	if err := s.groupExists(ctx, *in.LogGroupName); err != nil {
		return nil, err
	}
	switch a.Service {
	case "kinesis":
		return nil, api.InvalidParameterException("Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in ACTIVE state.")
	case "firehose":
		return nil, api.InvalidParameterException("Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state.")
	case "lambda":
		return nil, api.InvalidParameterException("Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")
	case "logs":
		return nil, api.ResourceNotFoundException("The specified destination does not exist.")
	}
	return nil, api.InvalidParameterException("PutSubscriptionFilter operation cannot work with destinationArn for vendor " + a.Service)
}

// DescribeSubscriptionFilters lists no filters.
func (s *Service) DescribeSubscriptionFilters(ctx context.Context, in *api.DescribeSubscriptionFiltersInput) (*api.DescribeSubscriptionFiltersOutput, error) {
	if err := s.groupExists(ctx, *in.LogGroupName); err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, api.InvalidParameterException("The specified nextToken is invalid.")
	}
	return &api.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []api.SubscriptionFilter{}}, nil
}

// DeleteSubscriptionFilter finds no filter.
func (s *Service) DeleteSubscriptionFilter(ctx context.Context, in *api.DeleteSubscriptionFilterInput) (*api.DeleteSubscriptionFilterOutput, error) {
	if err := s.groupExists(ctx, *in.LogGroupName); err != nil {
		return nil, err
	}
	return nil, api.ResourceNotFoundException("The specified subscription filter does not exist.")
}

func (s *Service) groupExists(ctx context.Context, name string) error {
	return s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, err := findGroup(ctx, tx, name)
		return err
	})
}
