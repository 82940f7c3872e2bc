package signing

import (
	"encoding/json"

	"neargate/arn"
	"neargate/resource/identity"
)

// statement is one statement of the policy that permissions make.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// Policy is the policy of the profile that its permissions make, "" without any.
func (p *Profile) Policy() string {
	if len(p.Permissions) == 0 {
		return ""
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, g := range p.Permissions {
		principal := g.Principal
		if arn.ValidAccount(principal) {
			principal = identity.RootARN(principal)
		}
		s := statement{Sid: g.ID, Effect: "Allow", Principal: map[string]string{"AWS": principal}, Action: g.Action, Resource: "*"}
		if g.Version != "" {
			s.Condition = map[string]map[string]string{"StringEquals": {"signer:ProfileVersion": g.Version}}
		}
		doc.Statement = append(doc.Statement, s)
	}
	text, _ := json.Marshal(doc) // of texts, which cannot fail
	return string(text)
}
