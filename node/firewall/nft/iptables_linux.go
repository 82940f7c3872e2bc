package nft

import (
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// Where rules by iptables say what is forwarded. Docker, which drops whatever is not its
// containers', asks a chain of its own for rules of others first, and leaves that alone.
// Source: iptables(8); Docker documentation, "Docker with iptables".
const tableFilter, chainForward, chainDocker = "filter", "FORWARD", "DOCKER-USER"

// families are those that iptables filters.
var families = [...]nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6}

// Admit has rules by iptables, in the namespace that the file path names, let pass what
// comes from or goes to devices with a prefix, in the name of owner, where Docker or the
// chain's policy would drop it. It returns what it changed, in words. Rules by the older
// xtables are not seen.
func Admit(path, prefix, owner string) (changed []string, err error) {
	for _, family := range families {
		err = errors.Join(err, Table{path, tableFilter, family}.owned(owner, func(c *nftables.Conn, at *nftables.Chain, own []*nftables.Rule) error {
			keys := [...]expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME}
			here := 0
			for _, r := range own {
				if at != nil && r.Chain.Name == at.Name {
					here++
				}
			}
			if at == nil || here == len(keys) && here == len(own) {
				return nil
			}
			changed = []string{"host: let iptables pass " + prefix + "*"}
			if err := remove(c, own); err != nil {
				return err
			}
			for _, key := range keys {
				c.InsertRule(&nftables.Rule{
					Table: at.Table, Chain: at, UserData: userdata.AppendString(nil, userdata.TypeComment, owner),
					Exprs: []expr.Any{
						&expr.Meta{Key: key, Register: 1},
						&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(prefix)},
						&expr.Verdict{Kind: expr.VerdictAccept},
					},
				})
			}
			return nil
		}))
	}
	return changed, err
}

// Dismiss takes back what Admit did in the name of owner.
func Dismiss(path, owner string) (err error) {
	for _, family := range families {
		err = errors.Join(err, Table{path, tableFilter, family}.owned(owner, func(c *nftables.Conn, _ *nftables.Chain, own []*nftables.Rule) error {
			return remove(c, own)
		}))
	}
	return err
}

func remove(c *nftables.Conn, rules []*nftables.Rule) error {
	for _, r := range rules {
		if err := c.DelRule(r); err != nil {
			return err
		}
	}
	return nil
}

// owned runs fn with the chain of the table where rules of others belong, nil if none are
// needed, and the rules that are owner's.
func (t Table) owned(owner string, fn func(c *nftables.Conn, at *nftables.Chain, own []*nftables.Rule) error) error {
	return t.do(func(c *nftables.Conn) error {
		chains, err := c.ListChainsOfTableFamily(t.family)
		if err != nil {
			return err
		}
		var at *nftables.Chain
		var own []*nftables.Rule
		for _, chain := range chains {
			if chain.Table.Name != t.name || chain.Name != chainDocker && chain.Name != chainForward {
				continue
			}
			drops := chain.Policy != nil && *chain.Policy == nftables.ChainPolicyDrop
			if chain.Name == chainDocker || drops && at == nil {
				at = chain
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			for _, r := range rules {
				if text, ok := userdata.GetString(r.UserData, userdata.TypeComment); ok && text == owner {
					own = append(own, r)
				}
			}
		}
		return fn(c, at, own)
	}, nil)
}
