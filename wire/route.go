package wire

import (
	"net"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/wire/form"
	"neargate/wire/sigv4"
)

// route finds the service a request is for. All share one endpoint, so the
// credential scope decides, then the X-Amz-Target, the API version, the host
// name and the first segment of the path.
func (s *Server) route(c *call) *service {
	if s.signsFor(c.claim) {
		return s.find(func(v *service) bool { return v.SigningName == c.claim.Service })
	}
	if c.r.Header.Get("X-Amz-Target") != "" {
		prefix, _ := target(c.r)
		return s.find(func(v *service) bool { return v.TargetPrefix == prefix })
	}
	if version := c.parameter("Version"); version != "" {
		if found := s.find(func(v *service) bool { return v.TargetPrefix == "" && v.Version == version }); found != nil {
			return found
		}
	}
	host := hostName(c.r.Host)
	if found := s.find(func(v *service) bool { return serves(host, v.Endpoint) }); found != nil {
		return found
	}
	if found := s.find(func(v *service) bool { return atVersion(v, c.r) }); found != nil {
		return found
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Path, "/"), "/")
	return s.find(func(v *service) bool { return v.ID == first || v.Endpoint == first })
}

// signsFor reports whether the claim's scope is that of a service here.
func (s *Server) signsFor(claim *sigv4.Claim) bool {
	return claim != nil && s.find(func(v *service) bool { return v.SigningName == claim.Service }) != nil
}

func (s *Server) find(match func(*service) bool) *service {
	if i := slices.IndexFunc(s.services, match); i >= 0 {
		return s.services[i]
	}
	return nil
}

// parameter is a parameter of a query request whose body has been read.
func (c *call) parameter(name string) string {
	pairs, err := form.Parse(c.formText())
	if err != nil {
		return ""
	}
	return form.Get(pairs, name)
}

// serves reports whether host is an endpoint with the given prefix, such as
// api.ecr.us-east-1.localhost, also below a host prefix such as data-.
func serves(host, endpoint string) bool {
	if under(host, endpoint) {
		return true
	}
	label, _, _ := strings.Cut(host, ".")
	_, rest, ok := strings.Cut(label, "-")
	return ok && under(rest+host[len(label):], endpoint)
}

func under(host, endpoint string) bool {
	rest, ok := strings.CutPrefix(host, endpoint)
	return ok && strings.HasPrefix(rest, ".")
}

// hostName is the host in lower case without port, "" for an address.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	return strings.ToLower(host)
}

// regionOf is the region an unsigned request is for: the one in its host name,
// if any.
func regionOf(host, otherwise string) string {
	for label := range strings.SplitSeq(hostName(host), ".") {
		if arn.KnownRegion(label) {
			return label
		}
	}
	return otherwise
}
