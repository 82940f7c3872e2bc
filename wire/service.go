package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"neargate/internal/bucket"
	"neargate/wire/rest"
	"neargate/wire/shape"
)

// service is a shape.Service prepared for serving.
type service struct {
	shape.Service
	profile
	protocol   protocol
	operations map[string]*operation
}

// operation is a shape.Operation prepared for serving.
type operation struct {
	shape.Operation
	action  string
	in, out *shape.Plan
	limit   int // index in Config.Limits; -1 for none
	rate    bucket.Rate
}

// profile is what an AWS service does that its model does not say.
type profile struct {
	internal  *shape.Error // when the service itself failed
	throttled *shape.Error // when a limit is exceeded
	maxBody   int64        // bytes of a request's body, compressed or not
	extended  string       // header of a second, opaque request id; "" for none
	unsigned  []string     // operations that need no signature
}

const (
	defaultBody = 1 << 20
	failureText = "The request processing has failed because of an unknown error, exception or failure."
	rateText    = "Rate exceeded"
)

// profileOf returns the profile of the service with the given id, or what is
// usual in its protocol. Bodies of PutLogEvents hold up to 1 MiB of messages,
// which JSON may escape sixfold.
func profileOf(s shape.Service) profile {
	p := profile{maxBody: defaultBody}
	switch s.Protocol {
	case shape.EC2:
		p.internal = shape.NewError("InternalError", http.StatusInternalServerError, "An internal error has occurred")
		p.throttled = shape.NewError("RequestLimitExceeded", http.StatusServiceUnavailable, "Request limit exceeded.")
	case shape.Query, shape.XML:
		p.internal = shape.NewError("InternalFailure", http.StatusInternalServerError, failureText)
		p.throttled = shape.NewError("Throttling", http.StatusBadRequest, rateText)
	default:
		p.internal = shape.NewError("InternalFailure", http.StatusInternalServerError, failureText)
		p.throttled = shape.NewError("ThrottlingException", http.StatusBadRequest, rateText)
	}
	switch s.ID {
	case "ecs":
		p.internal = shape.NewError("ServerException", http.StatusInternalServerError, "Service Unavailable. Please try again later.")
	case "logs":
		p.internal = shape.NewError("ServiceUnavailableException", http.StatusInternalServerError, "The service cannot complete the request.")
		p.maxBody = 8 << 20
	case "sts":
		p.extended = "x-amz-sts-extended-request-id"
		p.unsigned = []string{"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
	case "iam":
		p.internal = shape.NewError("ServiceFailureException", http.StatusInternalServerError, failureText)
		p.internal.Query = "ServiceFailure"
	case "signer":
		p.internal = shape.NewError("InternalServiceErrorException", http.StatusInternalServerError, "An internal error occurred.")
		p.throttled = shape.NewError("TooManyRequestsException", http.StatusTooManyRequests, rateText)
	}
	return p
}

// DefaultLimits are AWS's request limits as far as they are published, for ECS
// in "Request throttling for the Amazon ECS API", and generous ones for all
// other operations of the services served here.
func DefaultLimits() []Limit {
	generous := bucket.Rate{Burst: 2000, PerSecond: 1000}
	return []Limit{
		{"ecs", []string{"RunTask"}, bucket.Rate{Burst: 20, PerSecond: 20}},
		{"ecs", []string{"DescribeClusters", "ListClusters"}, bucket.Rate{Burst: 50, PerSecond: 20}},
		{"ecs", nil, generous},
		{"ec2", nil, generous},
		{"iam", nil, generous},
		{"sts", nil, generous},
		{"logs", nil, generous},
		{"route53", nil, generous},
		{"cloudtrail", []string{"LookupEvents"}, bucket.Rate{Burst: 2, PerSecond: 2}},
	}
}

func newService(described shape.Service, plans *shape.Plans, limits []Limit) *service {
	s := &service{Service: described, profile: profileOf(described), operations: map[string]*operation{}}
	switch described.Protocol {
	case shape.JSON10:
		s.protocol = awsJSON{"application/x-amz-json-1.0"}
	case shape.JSON11:
		s.protocol = awsJSON{"application/x-amz-json-1.1"}
	case shape.Query:
		s.protocol = awsQuery{}
	case shape.EC2:
		s.protocol = ec2Query{}
	case shape.XML:
		s.protocol = restXML{paths{rest.NewRouter(described.Operations)}}
	case shape.RestJSON:
		s.protocol = restJSON{paths{rest.NewRouter(described.Operations)}}
	default:
		panic(fmt.Sprintf("wire: %s speaks %q", described.ID, described.Protocol))
	}
	for _, o := range described.Operations {
		op := &operation{
			Operation: o,
			action:    described.SigningName + ":" + o.Name,
			in:        plans.Of(o.Input),
			out:       plans.Of(o.Output),
			limit:     limitOf(limits, described.ID, o.Name),
		}
		if _, ok := s.protocol.(awsJSON); op.out.Stream != nil && !ok {
			panic(fmt.Sprintf("wire: %s streams events in %s", o.Name, described.Protocol))
		}
		if op.limit >= 0 {
			op.rate = limits[op.limit].Rate
		}
		s.operations[o.Name] = op
	}
	return s
}

// limitOf finds the limit that names the operation, else the service's own.
func limitOf(limits []Limit, id, operation string) int {
	rest := -1
	for i, l := range limits {
		switch {
		case l.Service != id:
		case slices.Contains(l.Operations, operation):
			return i
		case len(l.Operations) == 0:
			rest = i
		}
	}
	return rest
}

func (o *operation) newInput() any { return reflect.New(o.Input).Interface() }
