package nft

import (
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// Where Docker looks for rules of others before its own, which drop whatever is forwarded
// but what its containers send or get. Source: Docker documentation, "Docker with iptables".
const dockerTable, dockerChain = "filter", "DOCKER-USER"

// families are those that Docker filters.
var families = [...]nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6}

// Admit has Docker, where its rules are in the namespace that the file path names, let pass
// what comes from or goes to devices with a prefix, in the name of owner. It returns what
// it changed, in words. Rules by the older xtables are not seen.
func Admit(path, prefix, owner string) (changed []string, err error) {
	for _, family := range families {
		err = errors.Join(err, Table{path, "", family}.docker(owner, func(c *nftables.Conn, chain *nftables.Chain, own []*nftables.Rule) error {
			keys := [...]expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME}
			if len(own) == len(keys) {
				return nil
			}
			changed = []string{"host: let Docker pass " + prefix + "*"}
			for _, r := range own {
				if err := c.DelRule(r); err != nil {
					return err
				}
			}
			for _, key := range keys {
				c.InsertRule(&nftables.Rule{
					Table: chain.Table, Chain: chain, UserData: userdata.AppendString(nil, userdata.TypeComment, owner),
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
		err = errors.Join(err, Table{path, "", family}.docker(owner, func(c *nftables.Conn, _ *nftables.Chain, own []*nftables.Rule) error {
			for _, r := range own {
				if err := c.DelRule(r); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return err
}

// docker runs fn with Docker's chain of the family, if there is one, and the rules in it
// that are owner's.
func (t Table) docker(owner string, fn func(c *nftables.Conn, chain *nftables.Chain, own []*nftables.Rule) error) error {
	return t.do(func(c *nftables.Conn) error {
		chains, err := c.ListChainsOfTableFamily(t.family)
		if err != nil {
			return err
		}
		for _, chain := range chains {
			if chain.Table.Name != dockerTable || chain.Name != dockerChain {
				continue
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			var own []*nftables.Rule
			for _, r := range rules {
				if text, ok := userdata.GetString(r.UserData, userdata.TypeComment); ok && text == owner {
					own = append(own, r)
				}
			}
			return fn(c, chain, own)
		}
		return nil
	}, nil)
}
