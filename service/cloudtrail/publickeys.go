package cloudtrail

import (
	"context"

	"neargate/auth"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service/internal/member"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

// ListPublicKeys answers the keys that signed digest files of the region in a time, now
// where none is given. There is one page.
func (s *Service) ListPublicKeys(ctx context.Context, in *api.ListPublicKeysInput) (*api.ListPublicKeysOutput, error) {
	if in.NextToken != nil {
		return nil, api.InvalidTokenException("The token is invalid.")
	}
	now := s.deps.Now()
	from, to := member.Or(in.StartTime, now), member.Or(in.EndTime, now)
	if from.After(to) {
		return nil, api.InvalidTimeRangeException("Invalid time range. Specify a start time that is before the end time.")
	}
	var all []trail.Key
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		all, err = store.Collect(tables.Keys.List(tx, auth.CallerFrom(ctx).Region))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListPublicKeysOutput{PublicKeyList: []api.PublicKey{}}
	for _, k := range all {
		if !k.From.After(to) && !k.Until.Before(from) {
			out.PublicKeyList = append(out.PublicKeyList, api.PublicKey{Fingerprint: &k.Fingerprint, Value: k.Public, ValidityStartTime: &k.From, ValidityEndTime: &k.Until})
		}
	}
	return out, nil
}
