package registry

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

func noTemplate(prefix, account string) error {
	return api.TemplateNotFoundException(fmt.Sprintf(
		"The Repository Creation Template with prefix '%s' does not exist in the registry with id '%s'", prefix, account))
}

// prefixOf is a template's prefix as it is stored: without the slash at its end.
func prefixOf(given *string) string { return strings.TrimSuffix(*given, "/") }

// fields are what a request says of a template; nil says nothing.
type fields struct {
	description, role, mutability, policy, lifecycle *string
	exclusions                                       []api.ImageTagMutabilityExclusionFilter
	encryption                                       *api.EncryptionConfigurationForRepositoryCreationTemplate
	labels                                           []api.Tag
	purposes                                         []string
}

// apply changes a template as a request says.
func (f *fields) apply(t *image.Template) (err error) {
	if f.description != nil {
		t.Description = *f.description
	}
	if f.role != nil {
		t.Role = *f.role
	}
	if f.purposes != nil {
		t.AppliedFor = f.purposes
	}
	if f.mutability != nil || f.exclusions != nil {
		if t.Mutability, t.Exclusions, err = call.Mutability(f.mutability, f.exclusions); err != nil {
			return err
		}
	}
	if e := f.encryption; e != nil {
		if t.Encryption, err = call.Encryption(e.EncryptionType, e.KmsKey); err != nil {
			return err
		}
	}
	if f.labels != nil {
		if t.Labels, err = call.Labels(nil, f.labels); err != nil {
			return err
		}
	}
	if p := f.policy; p != nil {
		if t.Policy = ""; *p != "" {
			if t.Policy, err = call.Policy(*p, "repository"); err != nil {
				return err
			}
		}
	}
	if l := f.lifecycle; l != nil {
		if t.Lifecycle = ""; *l != "" {
			if _, t.Lifecycle, err = image.ParseLifecycle(*l); err != nil {
				return call.Invalid("LifecyclePolicyText", "Lifecycle policy validation failure: "+err.Error()+"\n")
			}
		}
	}
	return checkPurposes(t)
}

// checkPurposes refuses a template for nothing, and one that needs a role to tag
// repositories without having it.
func checkPurposes(t *image.Template) error {
	if len(t.AppliedFor) == 0 {
		return call.Invalid("appliedFor", "Member must have length greater than or equal to 1")
	}
	if len(t.Labels) > 0 && t.Role == "" {
		return call.Invalid("customRoleArn", "customRoleArn is required when resourceTags are specified")
	}
	return nil
}

// CreateRepositoryCreationTemplate makes a template.
func (s *Service) CreateRepositoryCreationTemplate(ctx context.Context, in *api.CreateRepositoryCreationTemplateInput) (*api.CreateRepositoryCreationTemplateOutput, error) {
	c := auth.CallerFrom(ctx)
	t := image.Template{
		Account: c.Account, Region: c.Region, Prefix: prefixOf(in.Prefix), CreatedAt: s.Now().UTC(),
		Mutability: image.Mutable, Encryption: image.Encryption{Type: "AES256"},
	}
	t.UpdatedAt = t.CreatedAt
	f := fields{in.Description, in.CustomRoleArn, in.ImageTagMutability, in.RepositoryPolicy, in.LifecyclePolicy,
		in.ImageTagMutabilityExclusionFilters, in.EncryptionConfiguration, in.ResourceTags, in.AppliedFor}
	if err := f.apply(&t); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := repositories.Templates.Find(tx, t.Account, t.Region, t.Prefix)
		if err != nil {
			return err
		}
		if ok {
			return api.TemplateAlreadyExistsException(fmt.Sprintf(
				"The Repository Creation Template with prefix '%s' already exists in the registry with id '%s'", t.Prefix, t.Account))
		}
		return repositories.Templates.Put(tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRepositoryCreationTemplateOutput{RegistryId: &t.Account, RepositoryCreationTemplate: showTemplate(&t)}, nil
}

// UpdateRepositoryCreationTemplate changes what the request names.
func (s *Service) UpdateRepositoryCreationTemplate(ctx context.Context, in *api.UpdateRepositoryCreationTemplateInput) (*api.UpdateRepositoryCreationTemplateOutput, error) {
	c := auth.CallerFrom(ctx)
	f := fields{in.Description, in.CustomRoleArn, in.ImageTagMutability, in.RepositoryPolicy, in.LifecyclePolicy,
		in.ImageTagMutabilityExclusionFilters, in.EncryptionConfiguration, in.ResourceTags, in.AppliedFor}
	var t image.Template
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if t, err = findTemplate(tx, &c, in.Prefix); err != nil {
			return err
		}
		if err := f.apply(&t); err != nil {
			return err
		}
		t.UpdatedAt = s.Now().UTC()
		return repositories.Templates.Put(tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateRepositoryCreationTemplateOutput{RegistryId: &t.Account, RepositoryCreationTemplate: showTemplate(&t)}, nil
}

func findTemplate(tx store.Tx, c *auth.Caller, prefix *string) (image.Template, error) {
	t, ok, err := repositories.Templates.Find(tx, c.Account, c.Region, prefixOf(prefix))
	if err == nil && !ok {
		err = noTemplate(prefixOf(prefix), c.Account)
	}
	return t, err
}

// DeleteRepositoryCreationTemplate removes a template; what it made stays.
func (s *Service) DeleteRepositoryCreationTemplate(ctx context.Context, in *api.DeleteRepositoryCreationTemplateInput) (*api.DeleteRepositoryCreationTemplateOutput, error) {
	c := auth.CallerFrom(ctx)
	var t image.Template
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if t, err = findTemplate(tx, &c, in.Prefix); err != nil {
			return err
		}
		return repositories.Templates.Delete(tx, t.Account, t.Region, t.Prefix)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRepositoryCreationTemplateOutput{RegistryId: &t.Account, RepositoryCreationTemplate: showTemplate(&t)}, nil
}

// DescribeRepositoryCreationTemplates answers the templates named that are there, or
// all, in pages.
func (s *Service) DescribeRepositoryCreationTemplates(ctx context.Context, in *api.DescribeRepositoryCreationTemplatesInput) (*api.DescribeRepositoryCreationTemplatesOutput, error) {
	c := auth.CallerFrom(ctx)
	out := &api.DescribeRepositoryCreationTemplatesOutput{RegistryId: &c.Account}
	var wanted []string
	for _, p := range in.Prefixes {
		wanted = append(wanted, prefixOf(&p))
	}
	scope := []string{c.Account, c.Region, "DescribeRepositoryCreationTemplates", strings.Join(wanted, " ")}
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		out.RepositoryCreationTemplates, out.NextToken, err = call.Page(s.Call, in.NextToken, in.MaxResults, scope,
			func(after []string) iter.Seq2[image.Template, error] {
				return repositories.Templates.Page(tx, []string{c.Account, c.Region}, after, 0)
			}, repositories.Templates.Key,
			func(t *image.Template) (api.RepositoryCreationTemplate, bool, error) {
				return *showTemplate(t), len(wanted) == 0 || slices.Contains(wanted, t.Prefix), nil
			})
		return err
	})
	return out, err
}

func showTemplate(t *image.Template) *api.RepositoryCreationTemplate {
	out := &api.RepositoryCreationTemplate{
		Prefix: &t.Prefix, AppliedFor: t.AppliedFor, CreatedAt: &t.CreatedAt, UpdatedAt: &t.UpdatedAt, Description: call.Some(t.Description),
		CustomRoleArn: call.Some(t.Role), ImageTagMutability: &t.Mutability, ImageTagMutabilityExclusionFilters: call.ShowExclusions(t.Exclusions),
		RepositoryPolicy: call.Some(t.Policy), LifecyclePolicy: call.Some(t.Lifecycle),
		EncryptionConfiguration: &api.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: &t.Encryption.Type, KmsKey: call.Some(t.Encryption.KMSKey)},
	}
	if len(t.Labels) > 0 {
		out.ResourceTags = call.ShowLabels(t.Labels)
	}
	return out
}
