package report

import (
	"context"
	"errors"
	"io"
	"time"

	"neargate/billing/focus"
)

// Export writes the request's charges in the FinOps Open Cost and Usage
// Specification, as csv or jsonl; name is the name of an account.
func (r Request) Export(ctx context.Context, b Book, w io.Writer, format string, name func(account string) string) error {
	p, err := r.prices()
	if err != nil {
		return err
	}
	midnight := func(t time.Time) bool { return t.Truncate(24 * time.Hour).Equal(t) }
	switch {
	case r.Running || r.By != "" || len(r.GroupBy) > 0:
		return errors.New("charges are exported one by one: without --running, --by and --group-by")
	case !r.From.Before(r.To) || !midnight(r.From) || !midnight(r.To):
		return errors.New("charges are exported by whole days")
	}
	f := focus.Request{From: r.From, To: r.To, Format: format, Prices: p.list, Terms: &p.terms, Account: name}
	return f.Write(w, b.Records(ctx, r.To, r.Account))
}
