package auth

import (
	"time"

	"neargate/auth/policy"
	"neargate/auth/target"
	"neargate/store"
)

// MayPass answers nil when the caller may pass the role, given by ARN or
// name, to an AWS service such as ecs-tasks.amazonaws.com, and a *Denied when
// not. Authorize asks this for the roles that a request names; services ask it for those they
// find in their records.
func MayPass(tx store.Tx, c Caller, now time.Time, role, service string) error {
	if c.Root() {
		return nil
	}
	p, err := FindPrincipal(tx, c)
	if err != nil {
		return err
	}
	keys := p.keys(c, now)
	keys.Set("iam:PassedToService", service)
	return p.decide(c, &policy.Request{Action: "iam:PassRole", Resource: target.Role(target.Input{Caller: c.asks(), Tx: tx}, role), Context: keys})
}
