// Package budgets answers AWS Budgets: limits to what tasks may cost, and how far
// an account is from them. There are no notifications.
package budgets

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/budgets"
	"neargate/resource/billing"
	"neargate/resource/budget"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	tables "neargate/store/tables/budgets"
)

// Usage is where usage is read: sums of it, that of running tasks included.
type Usage interface {
	Rows(ctx context.Context, s billing.Scan) iter.Seq2[billing.Row, error]
}

// Service is the Budgets API.
type Service struct {
	deps  service.Deps
	usage Usage
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Budgets API over usage.
func New(d service.Deps, u Usage) *Service {
	return &Service{deps: d, usage: u, pages: page.NewSealer(d.TokenKey)}
}

// Quotas. Source: AWS Budgets quotas.
const (
	maxBudgets = 20_000
	maxTags    = 200
	pageSize   = 100
)

func invalid(format string, args ...any) error {
	return api.InvalidParameterException(fmt.Sprintf(format, args...))
}

// own refuses another account than the caller's.
func own(ctx context.Context, account string) error {
	if c := auth.CallerFrom(ctx); account != c.Account {
		return api.AccessDeniedException(fmt.Sprintf("Account %s may not access budgets of account %s", c.Account, account))
	}
	return nil
}

// CreateBudget makes a budget.
func (s *Service) CreateBudget(ctx context.Context, in *api.CreateBudgetInput) (*api.CreateBudgetOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	if len(in.NotificationsWithSubscribers) > 0 {
		return nil, invalid("Unable to create notifications: there is nothing here that could deliver them. Create the budget without notifications.")
	}
	b, err := s.read(*in.AccountId, in.Budget)
	if err != nil {
		return nil, err
	}
	if b.Tags, err = merge(nil, in.ResourceTags); err != nil {
		return nil, err
	}
	return &api.CreateBudgetOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		_, ok, err := tables.Budgets.Find(tx, b.Account, b.Name)
		switch {
		case err != nil:
			return err
		case ok:
			return api.DuplicateRecordException(fmt.Sprintf("Error creating budget: %s - the budget already exists.", b.Name))
		case tx.Count(store.Prefix(tables.Budgets.Name, b.Account)) >= maxBudgets:
			return api.CreationLimitExceededException(fmt.Sprintf("Error creating budget: %s - the limit of %d budgets is reached.", b.Name, maxBudgets))
		}
		return tables.Budgets.Put(tx, &b)
	})
}

// find reads a budget of the caller; what says what was to be done with it.
func find(ctx context.Context, tx store.Tx, what, name string) (budget.Budget, error) {
	b, ok, err := tables.Budgets.Find(tx, auth.CallerFrom(ctx).Account, name)
	if err == nil && !ok {
		err = api.NotFoundException(fmt.Sprintf("Unable to %s budget: %s - the budget doesn't exist.", what, name))
	}
	return b, err
}

// UpdateBudget replaces a budget but for its tags.
func (s *Service) UpdateBudget(ctx context.Context, in *api.UpdateBudgetInput) (*api.UpdateBudgetOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	b, err := s.read(*in.AccountId, in.NewBudget)
	if err != nil {
		return nil, err
	}
	return &api.UpdateBudgetOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		old, err := find(ctx, tx, "update", b.Name)
		if err != nil {
			return err
		}
		if old.Type != b.Type {
			return invalid("Unable to update budget: %s - the type of a budget can't be changed.", b.Name)
		}
		b.Tags = old.Tags
		return tables.Budgets.Put(tx, &b)
	})
}

// DeleteBudget removes a budget.
func (s *Service) DeleteBudget(ctx context.Context, in *api.DeleteBudgetInput) (*api.DeleteBudgetOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	return &api.DeleteBudgetOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		b, err := find(ctx, tx, "delete", *in.BudgetName)
		if err != nil {
			return err
		}
		return tables.Budgets.Delete(tx, b.Account, b.Name)
	})
}

// DescribeBudget shows a budget and what has been spent of it.
func (s *Service) DescribeBudget(ctx context.Context, in *api.DescribeBudgetInput) (*api.DescribeBudgetOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	var b budget.Budget
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		b, err = find(ctx, tx, "get", *in.BudgetName)
		return err
	})
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, &b)
	return &api.DescribeBudgetOutput{Budget: shown}, err
}

// DescribeBudgets shows budgets by name.
func (s *Service) DescribeBudgets(ctx context.Context, in *api.DescribeBudgetsInput) (*api.DescribeBudgetsOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	limit := pageSize
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var after []string
	if in.NextToken != nil {
		name, err := s.pages.Open(*in.NextToken, *in.AccountId, "DescribeBudgets")
		if err != nil {
			return nil, api.InvalidNextTokenException("The pagination token is invalid.")
		}
		after = []string{*in.AccountId, name}
	}
	var found []budget.Budget
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		found, err = store.Collect(tables.Budgets.Page(tx, []string{*in.AccountId}, after, limit+1))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeBudgetsOutput{Budgets: []api.Budget{}}
	if len(found) > limit {
		found = found[:limit]
		out.NextToken = new(s.pages.Seal(found[limit-1].Name, *in.AccountId, "DescribeBudgets"))
	}
	for i := range found {
		b, err := s.show(ctx, &found[i])
		if err != nil {
			return nil, err
		}
		out.Budgets = append(out.Budgets, *b)
	}
	return out, nil
}

// DescribeNotificationsForBudget lists none: budgets have none.
func (s *Service) DescribeNotificationsForBudget(ctx context.Context, in *api.DescribeNotificationsForBudgetInput) (*api.DescribeNotificationsForBudgetOutput, error) {
	if err := own(ctx, *in.AccountId); err != nil {
		return nil, err
	}
	return &api.DescribeNotificationsForBudgetOutput{Notifications: []api.Notification{}}, s.deps.Store.View(ctx, func(tx store.Tx) error {
		_, err := find(ctx, tx, "get", *in.BudgetName)
		return err
	})
}

// change lets f change the tags of a budget given by ARN.
func (s *Service) change(ctx context.Context, arn string, f func(*budget.Budget) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		b, err := byARN(ctx, tx, arn)
		if err != nil {
			return err
		}
		if err := f(&b); err != nil {
			return err
		}
		return tables.Budgets.Put(tx, &b)
	})
}

func byARN(ctx context.Context, tx store.Tx, arn string) (budget.Budget, error) {
	b := budget.Budget{Account: auth.CallerFrom(ctx).Account}
	name, ok := strings.CutPrefix(arn, b.ARN())
	if !ok {
		return b, api.NotFoundException("Unable to find resource: " + arn)
	}
	b, ok, err := tables.Budgets.Find(tx, b.Account, name)
	if err == nil && !ok {
		err = api.NotFoundException("Unable to find resource: " + arn)
	}
	return b, err
}

// TagResource adds tags to a budget.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.change(ctx, *in.ResourceARN, func(b *budget.Budget) (err error) {
		b.Tags, err = merge(b.Tags, in.ResourceTags)
		return err
	})
}

// UntagResource takes tags from a budget.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.change(ctx, *in.ResourceARN, func(b *budget.Budget) error {
		b.Tags = slices.DeleteFunc(slices.Clone(b.Tags), func(t budget.Tag) bool { return slices.Contains(in.ResourceTagKeys, t.Key) })
		return nil
	})
}

// ListTagsForResource lists a budget's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := &api.ListTagsForResourceOutput{ResourceTags: []api.ResourceTag{}}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		b, err := byARN(ctx, tx, *in.ResourceARN)
		for _, t := range b.Tags {
			out.ResourceTags = append(out.ResourceTags, api.ResourceTag{Key: &t.Key, Value: &t.Value})
		}
		return err
	})
	return out, err
}

// merge adds tags to others, of which it replaces those with equal keys.
func merge(old []budget.Tag, more []api.ResourceTag) ([]budget.Tag, error) {
	out := slices.Clone(old)
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(*t.Key), "aws:") {
			return nil, invalid("Tag keys that begin with aws: are reserved: %s", *t.Key)
		}
		i := slices.IndexFunc(out, func(o budget.Tag) bool { return o.Key == *t.Key })
		if i < 0 {
			i, out = len(out), append(out, budget.Tag{Key: *t.Key})
		}
		out[i].Value = *t.Value
	}
	if len(out) > maxTags {
		return nil, api.ServiceQuotaExceededException(fmt.Sprintf("A budget has at most %d tags", maxTags))
	}
	return out, nil
}
