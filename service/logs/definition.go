package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables"
)

// maxDefinitions is how many saved queries an account may have in a region.
// Source: CloudWatch Logs quotas.
const maxDefinitions = 1000

func noDefinition() error {
	return api.ResourceNotFoundException("The specified query definition does not exist.")
}

// PutQueryDefinition saves a query, or changes a saved one. It is not compiled
// before it is run. A client token stands for one definition, however often the
// request is sent.
func (s *Service) PutQueryDefinition(ctx context.Context, in *api.PutQueryDefinitionInput) (*api.PutQueryDefinitionOutput, error) {
	c := auth.CallerFrom(ctx)
	if l := member.Or(in.QueryLanguage, languageCWLI); l != languageCWLI {
		return nil, api.InvalidParameterException("Query language " + l + " is not supported in this region.")
	}
	d := logs.QueryDefinition{
		Account: c.Account, Region: c.Region, Name: *in.Name, Query: *in.QueryString,
		Groups: append([]string(nil), in.LogGroupNames...), ModifiedAt: s.deps.Now().UTC(),
	}
	for _, p := range in.Parameters {
		d.Parameters = append(d.Parameters, logs.QueryParameter{Name: *p.Name, Default: p.DefaultValue, Description: p.Description})
	}
	switch {
	case in.QueryDefinitionId != nil:
		d.ID = *in.QueryDefinitionId
	case in.ClientToken != nil:
		d.ID = tokenID(*in.ClientToken)
	default:
		d.ID = s.deps.IDs.UUID()
	}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := tables.QueryDefinitions.Find(tx, c.Account, c.Region, d.ID)
		switch {
		case err != nil:
			return err
		case !ok && in.QueryDefinitionId != nil:
			return noDefinition()
		case !ok:
			all, err := store.Collect(tables.QueryDefinitions.List(tx, c.Account, c.Region))
			if err != nil {
				return err
			}
			if len(all) >= maxDefinitions {
				return api.LimitExceededException("Resource limit exceeded.")
			}
		}
		return tables.QueryDefinitions.Put(tx, &d)
	})
	return &api.PutQueryDefinitionOutput{QueryDefinitionId: &d.ID}, err
}

// tokenID is the id that a client token stands for, in the form of a UUID.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte("PutQueryDefinition " + token))
	x := hex.EncodeToString(sum[:16])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// DescribeQueryDefinitions lists saved queries by id.
func (s *Service) DescribeQueryDefinitions(ctx context.Context, in *api.DescribeQueryDefinitionsInput) (*api.DescribeQueryDefinitionsOutput, error) {
	c := auth.CallerFrom(ctx)
	prefix := member.Or(in.QueryDefinitionNamePrefix, "")
	after, scope, err := s.open(c, in.NextToken, "DescribeQueryDefinitions", prefix, member.Or(in.QueryLanguage, ""))
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.MaxResults, maxListed))
	out := &api.DescribeQueryDefinitionsOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		out.QueryDefinitions, out.NextToken = []api.QueryDefinition{}, nil
		if member.Or(in.QueryLanguage, languageCWLI) != languageCWLI {
			return nil
		}
		var last string
		for d, err := range tables.QueryDefinitions.Page(tx, []string{c.Account, c.Region}, from(c, nil, "", after), 0) {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(d.Name, prefix) {
				continue
			}
			if len(out.QueryDefinitions) == limit {
				out.NextToken = new(s.pages.Seal(last, scope...))
				return nil
			}
			out.QueryDefinitions = append(out.QueryDefinitions, describeDefinition(&d))
			last = d.ID
		}
		return nil
	})
	return out, err
}

func describeDefinition(d *logs.QueryDefinition) api.QueryDefinition {
	v := api.QueryDefinition{
		QueryDefinitionId: &d.ID, Name: &d.Name, QueryString: &d.Query, QueryLanguage: new(languageCWLI),
		LastModified: new(d.ModifiedAt.UnixMilli()), LogGroupNames: append([]string{}, d.Groups...),
	}
	for i := range d.Parameters {
		p := &d.Parameters[i]
		v.Parameters = append(v.Parameters, api.QueryParameter{Name: &p.Name, DefaultValue: p.Default, Description: p.Description})
	}
	return v
}

// DeleteQueryDefinition deletes a saved query.
func (s *Service) DeleteQueryDefinition(ctx context.Context, in *api.DeleteQueryDefinitionInput) (*api.DeleteQueryDefinitionOutput, error) {
	c := auth.CallerFrom(ctx)
	id := member.Or(in.QueryDefinitionId, "")
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := tables.QueryDefinitions.Find(tx, c.Account, c.Region, id)
		if err != nil {
			return err
		}
		if !ok {
			return noDefinition()
		}
		return tables.QueryDefinitions.Delete(tx, c.Account, c.Region, id)
	})
	return &api.DeleteQueryDefinitionOutput{Success: new(err == nil)}, err
}
