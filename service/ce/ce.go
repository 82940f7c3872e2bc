// Package ce answers AWS Cost Explorer: what an account's tasks have cost, and
// will.
package ce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/wire/shape"
)

// Usage is where usage is read: sums of it, that of running tasks included.
type Usage interface {
	Rows(ctx context.Context, s billing.Scan) iter.Seq2[billing.Row, error]
}

// Service is the Cost Explorer API.
type Service struct {
	deps  service.Deps
	usage Usage
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Cost Explorer API over usage.
func New(d service.Deps, u Usage) *Service {
	return &Service{deps: d, usage: u, pages: page.NewSealer(d.TokenKey)}
}

// currency is that of AWS's price lists.
const currency = "USD"

func invalid(format string, args ...any) error {
	return shape.Errorf("ValidationException", format, args...)
}

// How far back usage can be asked for. Source: AWS Cost Management user guide,
// and answers users were given.
const (
	months     = 14
	hourlyDays = 14
)

// query reads the time and granularity of a request.
func (s *Service) query(period *api.DateInterval, granularity string) (q costs.Query, err error) {
	q.Step = costs.Step(granularity)
	if q.From, err = instant(*period.Start, q.Step); err != nil {
		return q, err
	}
	if q.To, err = instant(*period.End, q.Step); err != nil {
		return q, err
	}
	if !q.From.Before(q.To) {
		return q, invalid("Start date (and hour) should be before end date (and hour)")
	}
	return q, nil
}

// past refuses times that usage cannot be asked for of.
func (s *Service) past(q costs.Query) error {
	now := s.deps.Now().UTC()
	next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	switch {
	case q.To.After(next):
		return invalid("end date past the beginning of next month")
	case q.From.After(now):
		return invalid("Start date should not be in the future")
	case q.Step == costs.Hourly && q.From.Before(now.Truncate(24*time.Hour).AddDate(0, 0, -hourlyDays)):
		return invalid("Start date is more than %d days ago for hourly granularity. Please adjust start date as we support only %d days of data at hourly granularity.", hourlyDays, hourlyDays)
	case q.From.Day() != 1 && q.From.Before(now.AddDate(0, -months, 0)):
		return invalid("To retrieve data beyond the past %d months, your start date needs to be the first day of the month.", months)
	}
	return nil
}

// instant reads a day, or an hour where usage is asked for by the hour.
func instant(text string, step costs.Step) (time.Time, error) {
	if !strings.Contains(text, "T") {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return t, invalid("Invalid date: %s", text)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return t, invalid("Invalid date: %s", text)
	case step != costs.Hourly:
		return t, invalid("Hourly timePeriod is not supported for this request")
	case !t.Truncate(time.Hour).Equal(t):
		return t, invalid("Invalid date: %s is not on the hour", text)
	}
	return t, nil
}

// date prints a time as requests and answers of a step have it.
func date(t time.Time, step costs.Step) *string {
	if step == costs.Hourly {
		return new(t.UTC().Format("2006-01-02T15:04:05Z"))
	}
	return new(t.UTC().Format(time.DateOnly))
}

// sheet adds up the caller's usage.
func (s *Service) sheet(ctx context.Context, q costs.Query, tags bool) (*costs.Sheet, error) {
	sheet := costs.NewSheet(q, billing.AWS)
	scan := billing.Scan{From: q.From, To: q.To, Hours: q.Step == costs.Hourly, Tags: tags, Account: auth.CallerFrom(ctx).Account}
	for row, err := range s.usage.Rows(ctx, scan) {
		if err != nil {
			return nil, err
		}
		sheet.Add(row)
	}
	return sheet, nil
}

// token seals where a next page begins, for a request that is to stay the same.
func (s *Service) token(ctx context.Context, operation string, request any, position string) *string {
	return new(s.pages.Seal(digest(request)+position, auth.CallerFrom(ctx).Account, operation))
}

// position opens a token; "" without one.
func (s *Service) position(ctx context.Context, operation string, request any, token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	text, err := s.pages.Open(*token, auth.CallerFrom(ctx).Account, operation)
	if err != nil {
		return "", api.InvalidNextTokenException("Invalid next page token")
	}
	position, same := strings.CutPrefix(text, digest(request))
	if !same {
		return "", api.RequestChangedException("Your request parameters changed between pages. Try again with the old parameters or without a pagination token.")
	}
	return position, nil
}

func digest(request any) string {
	text, err := json.Marshal(request)
	if err != nil {
		panic(err) // requests came as JSON
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}
