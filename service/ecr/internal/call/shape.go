package call

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	api "neargate/aws/ecr"
	"neargate/resource/image"
)

// mostTags is how many tags a repository may have.
const mostTags = 50

// Labels checks tags and returns them as they are stored, added to others.
func Labels(have []image.Label, add []api.Tag) ([]image.Label, error) {
	out := slices.Clone(have)
	seen := map[string]bool{}
	for _, t := range add {
		key, value := *t.Key, *t.Value
		switch {
		case key == "" || len(key) > 128:
			return nil, api.InvalidTagParameterException("Tag keys must be between 1 and 128 characters long.")
		case len(value) > 256:
			return nil, api.InvalidTagParameterException("Tag values must be at most 256 characters long.")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, api.InvalidTagParameterException("Tag keys beginning with 'aws:' are reserved for system use.")
		case seen[key]:
			return nil, api.InvalidTagParameterException("Duplicate tag keys found: " + key)
		}
		seen[key] = true
		if i := slices.IndexFunc(out, func(l image.Label) bool { return l.Key == key }); i >= 0 {
			out[i].Value = value
		} else {
			out = append(out, image.Label{Key: key, Value: value})
		}
	}
	if len(out) > mostTags {
		return nil, api.TooManyTagsException(fmt.Sprintf("The number of tags exceeds the limit of %d.", mostTags))
	}
	return out, nil
}

// ShowLabels is the tags as an answer has them.
func ShowLabels(labels []image.Label) []api.Tag {
	out := []api.Tag{}
	for _, l := range labels {
		out = append(out, api.Tag{Key: &l.Key, Value: &l.Value})
	}
	return out
}

// exclusionForm is how the filter of an exclusion is written.
var exclusionForm = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

// mostExclusions and mostStars bound exclusions.
// Source: Amazon ECR User Guide, "Preventing image tags from being overwritten".
const mostExclusions, mostStars = 5, 2

// Mutability checks the tag mutability of a request and returns it as it is stored.
func Mutability(kind *string, filters []api.ImageTagMutabilityExclusionFilter) (string, []image.Exclusion, error) {
	const at = "imageTagMutabilityExclusionFilters"
	m := image.Mutable
	if kind != nil {
		m = *kind
	}
	excludes := m == image.ImmutableWithExclusion || m == image.MutableWithExclusion
	switch {
	case excludes && len(filters) == 0:
		return "", nil, Invalid(at, "Exclusion filters are required when image tag mutability is "+m)
	case !excludes && len(filters) > 0:
		return "", nil, Invalid(at, "Exclusion filters are not supported when image tag mutability is "+m)
	case len(filters) > mostExclusions:
		return "", nil, Invalid(at, fmt.Sprintf("Member must have length less than or equal to %d", mostExclusions))
	}
	var out []image.Exclusion
	for _, f := range filters {
		if !exclusionForm.MatchString(*f.Filter) || strings.Count(*f.Filter, "*") > mostStars {
			return "", nil, Invalid(at, "Filter '"+*f.Filter+"' is not valid")
		}
		out = append(out, image.Exclusion{Filter: *f.Filter, Type: *f.FilterType})
	}
	return m, out, nil
}

// ShowExclusions is exclusions as an answer has them, nil for none.
func ShowExclusions(from []image.Exclusion) []api.ImageTagMutabilityExclusionFilter {
	var out []api.ImageTagMutabilityExclusionFilter
	for _, e := range from {
		out = append(out, api.ImageTagMutabilityExclusionFilter{Filter: &e.Filter, FilterType: &e.Type})
	}
	return out
}

// Encryption checks what a request says of encryption. Keys of KMS are refused:
// no image is encrypted with one here, and AWS's error for a key that cannot be
// used says so.
func Encryption(kind, key *string) (image.Encryption, error) {
	e := image.Encryption{Type: "AES256"}
	if kind != nil {
		e.Type = *kind
	}
	switch {
	case e.Type != "AES256":
		return e, api.KmsException("KMS key '" + Text(key) + "' cannot be used: encryption of repositories with AWS KMS is not available in this region")
	case Text(key) != "":
		return e, Invalid("encryptionConfiguration", "KMS key can only be specified when encryption type is KMS or KMS_DSSE")
	}
	return e, nil
}

// ShowRepository is a repository as an answer has it.
func ShowRepository(r *image.Repository) *api.Repository {
	return &api.Repository{
		CreatedAt: &r.CreatedAt, RegistryId: &r.Account, RepositoryName: &r.Name,
		RepositoryArn: new(r.ARN()), RepositoryUri: new(r.URI()),
		ImageTagMutability: &r.Mutability, ImageTagMutabilityExclusionFilters: ShowExclusions(r.Exclusions),
		EncryptionConfiguration:    &api.EncryptionConfiguration{EncryptionType: &r.Encryption.Type, KmsKey: Some(r.Encryption.KMSKey)},
		ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
	}
}
