package runc

import "neargate/shim/api"

// Usage implements Runtime.
func (r *runc) Usage(names []string) (map[string]api.Usage, error) {
	all := map[string]api.Usage{}
	for _, name := range names {
		all[name] = r.Group.Sub(r.find(name).id).Usage()
	}
	return all, nil
}
