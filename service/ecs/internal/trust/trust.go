// Package trust says whether ECS may act as the roles of a task.
package trust

import (
	"fmt"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/aws/ecs"
	"neargate/resource/identity"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// principal is who assumes the roles of tasks.
const principal = "ecs-tasks.amazonaws.com"

// Roles refuses roles that do not exist or do not trust ECS for tasks of the
// account and region. Empty names pass. As AWS does, it asks for the source ARN
// task/* literally, whatever the task will be.
func Roles(tx store.Tx, t ref.Tenant, roles ...string) error {
	for _, role := range roles {
		if role == "" {
			continue
		}
		ok, err := assumable(tx, t, role)
		if err != nil {
			return err
		}
		if !ok {
			return ecs.ClientException(fmt.Sprintf("ECS was unable to assume the role '%s' that was provided for this task. "+
				"Please verify that the role being passed has the proper trust relationship and permissions and that "+
				"your IAM user has permissions to pass this role.", role))
		}
	}
	return nil
}

func assumable(tx store.Tx, t ref.Tenant, role string) (bool, error) {
	account, name, ok := identity.RoleName(role)
	if !ok {
		account, name = t.Account, role // a name instead of an ARN
	}
	r, found, err := tables.Roles.Find(tx, account, identity.Fold(name))
	if err != nil || !found || account != t.Account || ok && r.ARN() != role {
		return false, err
	}
	doc, err := policy.Parse(r.Trust)
	if err != nil {
		return false, nil // a trust policy that cannot be read allows nothing
	}
	request := &policy.Request{
		Action: "sts:AssumeRole", Resource: r.ARN(), Context: policy.Context{},
		Principals: []policy.Principal{{Type: "Service", ID: principal}},
	}
	request.Context.Set("aws:SourceAccount", t.Account)
	request.Context.Set("aws:SourceArn", arn.New("ecs", t.Region, t.Account, "task/*"))
	return doc.Evaluate(request) == policy.Allow, nil
}
