package auth

import (
	"time"

	"neargate/arn"
	"neargate/auth/target"
	"neargate/store"
)

// ForTrail is ForTask for AWS CloudTrail, when it writes to the log group of a trail,
// given by name.
func ForTrail(tx store.Tx, account, region, role, name string, now time.Time) (Caller, error) {
	s, err := roleSession(tx, account, role, "CLOUDWATCH_LOGS_DELIVERY_SESSION", target.Trails, arn.New("cloudtrail", region, account, "trail/"+name), now)
	return acting(region, s, err)
}
