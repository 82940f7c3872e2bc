// Package shape describes AWS operations, their inputs, outputs and errors to
// the wire codecs. It is a leaf: generated packages (aws/*) and services build
// on it, and it knows no service, no codec and no transport.
//
// # Struct tags
//
// Generated structs carry everything the codecs need in tags:
//
//	aws:"name[,required][,len=MIN:MAX][,range=MIN:MAX][,enum=A|B][,idem][,sensitive][,ts=FORMAT][,union][,flat][,stream]"
//	each:"len=MIN:MAX,range=MIN:MAX,enum=A|B,union"  constraints of a list's elements or a map's values
//	key:"len=MIN:MAX,enum=A|B"                  constraints of a map's keys
//	pattern:"REGEXP"  eachpattern:"REGEXP"  keypattern:"REGEXP"  as the model spells them, anchored by the validator
//	form:"name"                                 name in query requests where it differs
//	xml:"name"                                  element name in XML answers where it differs
//	item:"name"                                 element name of list members (default "member")
//	http:"label=NAME" "query=NAME" "header=NAME"  where in HTTP the member stands that is not in the body
//	http:"params" "payload" "status"              likewise: all other parameters of the query, the whole body, the answer's status
//
// Either bound of len and range can be empty. Constraints and form names stand
// only in types that requests reach, XML names only in those that answers reach.
// A union is a structure of which exactly one member is present. The options
// sensitive and ts of a list or map hold for its elements.
//
// A field Form of type *[Form], which has no tag, is in structures that are shown much
// more often than they change.
//
// A stream of events is an iterator, iter.Seq2[*UNION, error], in an output: each
// event has one member; an error, an AWS error of the model or any other, ends it.
// It is iterated while the answer is sent, with the context of the operation.
//
// An absent scalar or structure is a nil pointer, an absent list or map is nil;
// an empty list or map is present and empty.
package shape

import (
	"context"
	"reflect"
)

// Protocol names an AWS wire protocol as Smithy does.
type Protocol string

// The protocols spoken by the services of this module.
const (
	JSON10   Protocol = "awsJson1_0"
	JSON11   Protocol = "awsJson1_1"
	Query    Protocol = "awsQuery"
	EC2      Protocol = "ec2Query"
	XML      Protocol = "restXml"
	RestJSON Protocol = "restJson1"
)

// Service is one AWS API as the front door serves it.
type Service struct {
	ID           string // folder under aws/, e.g. "ecs"
	SDKID        string // e.g. "Elastic Load Balancing v2"
	SigningName  string // SigV4 credential scope service
	Endpoint     string // endpoint prefix of the host name
	Version      string // API version date
	TargetPrefix string // X-Amz-Target prefix, JSON protocols only
	Protocol     Protocol
	Namespace    string // xmlns of XML answers
	Operations   []Operation
}

// Operation is one callable operation of a service.
type Operation struct {
	Name   string
	Input  reflect.Type // struct type; never a pointer
	Output reflect.Type // struct type
	Void   bool         // the model has no output, not even an empty one
	Serve  func(ctx context.Context, in any) (any, error)

	// Of protocols that tell operations apart by method and path: the path's
	// segments in braces are labels, and Status answers success.
	Method, Path string
	Status       int
}

// At returns the operation at a method and path, which answers success with status.
func (o Operation) At(method, path string, status int) Operation {
	o.Method, o.Path, o.Status = method, path, status
	return o
}

// Op binds a typed handler to its operation name.
func Op[I, O any](name string, f func(context.Context, *I) (*O, error)) Operation {
	return Operation{
		Name:   name,
		Input:  reflect.TypeFor[I](),
		Output: reflect.TypeFor[O](),
		Serve:  func(ctx context.Context, in any) (any, error) { return f(ctx, in.(*I)) },
	}
}

// Void is Op for an operation without output.
func Void[I, O any](name string, f func(context.Context, *I) (*O, error)) Operation {
	op := Op(name, f)
	op.Void = true
	return op
}
