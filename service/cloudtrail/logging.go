package cloudtrail

import (
	"cmp"
	"context"
	"time"

	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

// StartLogging makes a trail log.
func (s *Service) StartLogging(ctx context.Context, in *api.StartLoggingInput) (*api.StartLoggingOutput, error) {
	_, err := s.change(ctx, *in.Name, func(_ store.Tx, t *trail.Trail) error {
		t.Start(s.deps.Now().UTC())
		return nil
	})
	return &api.StartLoggingOutput{}, err
}

// StopLogging makes a trail log no more. What happened until then is delivered still.
func (s *Service) StopLogging(ctx context.Context, in *api.StopLoggingInput) (*api.StopLoggingOutput, error) {
	_, err := s.change(ctx, *in.Name, func(_ store.Tx, t *trail.Trail) error {
		t.Stop(s.deps.Now().UTC())
		return nil
	})
	return &api.StopLoggingOutput{}, err
}

// GetTrailStatus says whether a trail logs, and how its delivery goes.
func (s *Service) GetTrailStatus(ctx context.Context, in *api.GetTrailStatusInput) (*api.GetTrailStatusOutput, error) {
	var t trail.Trail
	var d, logs trail.Delivery
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if t, err = find(ctx, tx, *in.Name); err != nil {
			return err
		}
		for _, lane := range trail.Lanes() {
			one, ok, err := tables.FindDelivery(tx, &t, lane)
			if err != nil {
				return err
			}
			switch {
			case !ok || one.Trail != t.ID:
			case lane.ToLogs:
				logs = latest(logs, one)
			default:
				d = latest(d, one)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetTrailStatusOutput{
		IsLogging: &t.Logging, StartLoggingTime: when(t.StartedAt), StopLoggingTime: when(t.StoppedAt), LatestDeliveryTime: when(d.DeliveredAt),
		LatestDigestDeliveryTime: when(d.DigestAt), LatestCloudWatchLogsDeliveryTime: when(logs.DeliveredAt),
		TimeLoggingStarted: stamped(t.StartedAt), TimeLoggingStopped: stamped(t.StoppedAt),
		LatestDeliveryAttemptTime: stamped(d.AttemptedAt), LatestDeliveryAttemptSucceeded: stamped(d.DeliveredAt),
		LatestNotificationAttemptTime: new(""), LatestNotificationAttemptSucceeded: new(""),
	}
	if d.Error != "" {
		out.LatestDeliveryError = &d.Error
	}
	if logs.Error != "" && t.LogGroup != "" {
		out.LatestCloudWatchLogsDeliveryError = &logs.Error
	}
	if d.DigestError != "" {
		out.LatestDigestDeliveryError = &d.DigestError
	}
	return out, nil
}

// latest is how far a trail has come in two lanes together.
func latest(a, b trail.Delivery) trail.Delivery {
	later := func(x, y time.Time) time.Time {
		if y.After(x) {
			return y
		}
		return x
	}
	a.AttemptedAt, a.DeliveredAt, a.DigestAt = later(a.AttemptedAt, b.AttemptedAt), later(a.DeliveredAt, b.DeliveredAt), later(a.DigestAt, b.DigestAt)
	a.Error, a.DigestError = cmp.Or(a.Error, b.Error), cmp.Or(a.DigestError, b.DigestError)
	return a
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// stamped is a time as a text, "" for none.
func stamped(t time.Time) *string {
	if t.IsZero() {
		return new("")
	}
	return new(t.UTC().Format(time.RFC3339))
}
