package identity

import "time"

// Group is an IAM group. Its members name it by its id, so that it can be renamed.
type Group struct {
	Account, Path, Name string
	ID                  string // AGPA…
	CreatedAt           time.Time
	Grants              // without a boundary
}

// ARN is the group's Amazon Resource Name.
func (g *Group) ARN() string { return iamARN(g.Account, "group"+g.Path+g.Name) }

// Profile is an instance profile: a role for EC2 instances.
type Profile struct {
	Account, Path, Name string
	ID                  string // AIPA…
	CreatedAt           time.Time
	Role                string `json:",omitempty"` // name; "" for none
	Tags                []Tag  `json:",omitempty"`
}

// ARN is the instance profile's Amazon Resource Name.
func (p *Profile) ARN() string { return iamARN(p.Account, "instance-profile"+p.Path+p.Name) }
