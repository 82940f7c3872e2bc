// Package ecr is the Amazon ECR API: the handlers of its parts put together. Each
// part is a package of its own; what they share is in internal. The registry
// protocol, by which images are pushed and pulled, is in v2.
package ecr

import (
	api "neargate/aws/ecr"
	"neargate/service"
	"neargate/service/ecr/images"
	"neargate/service/ecr/registry"
	"neargate/service/ecr/repository"
)

// Names under which the handlers are embedded.
type (
	imageService      = images.Service
	registryService   = registry.Service
	repositoryService = repository.Service
)

// Service answers every operation by the handler that has it.
type Service struct {
	*imageService
	*registryService
	*repositoryService
}

var _ api.API = (*Service)(nil)

// New returns the service over blobs; images of pull through cache rules come from
// upstream, and url is where layers are downloaded from.
func New(d service.Deps, blobs images.Blobs, upstream images.Upstream, url func() string) *Service {
	return &Service{images.New(d, blobs, upstream, url), registry.New(d), repository.New(d)}
}

// Images is the part about images, which the registry protocol calls.
func (s *Service) Images() *images.Service { return s.imageService }
