package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"slices"

	"neargate/cmd/neargate/awsdoor"
	"neargate/dataplane/names"
	"neargate/dataplane/relay"
	"neargate/node/network"
	"neargate/node/sandbox/shim"
	"neargate/node/trust"
	record "neargate/resource/network"
	"neargate/service/s3"
	"neargate/wire"
	"neargate/wire/shape"
)

// openDoors makes what tasks find AWS by: the doors, with the front door behind them
// but for neargate's own pages, and the names.
func (d *daemon) openDoors(front *wire.Server, buckets *s3.Server, served []shape.Service) {
	d.relays = relay.New(d.mirrors, d.pool)
	d.doors = awsdoor.New(awsdoor.Config{
		Space: network.Services(d.dir.Spaces()), Pool: d.pool, Leaf: d.authority.Leaf, Relays: d.relays.Relays(), Log: d.log,
		All: d.withBuckets(buckets, d.ecr.before(front)),
		Of: func(service string) http.Handler {
			switch service {
			case "s3":
				return buckets
			case "ecr.dkr":
				return d.ecr.protocol
			case "ecr.api":
				service = "ecr"
			}
			return front.Only(service)
		},
	})
	d.names = names.Config{Pool: d.pool, Others: d.relays.Lookup, Services: []string{"streaming-logs", "data-signer"}} // of StartLiveTail, GetRevocationStatus
	for _, s := range served {
		d.names.Services = append(d.names.Services, s.Endpoint)
	}
}

// publicDoors are the public addresses that the installation itself answers.
func (d *daemon) publicDoors() []netip.Addr {
	all := []netip.Addr{record.ServiceAddress(d.pool), record.ObjectRange(d.pool).Addr()}
	for _, r := range d.relays.Relays() {
		all = append(all, r.Address.Addr())
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// openTrust is how containers trust the installation. Layers that no container can
// have are removed.
func (d *daemon) openTrust(ctx context.Context, box *shim.Sandbox) (func([]string) (string, []string, error), error) {
	s, err := trust.Open(d.dir.Trust(), d.authority.Certificate(), "/")
	if err != nil {
		return nil, err
	}
	there, err := box.List(ctx)
	if err == nil && len(there) == 0 {
		err = s.Clear()
	}
	return func(image []string) (string, []string, error) {
		layer, err := s.Layer(image)
		return layer, trust.Environment(), err
	}, err
}

// trust is how tasks check whom they reach: as this machine does, and by the
// installation's own authority.
func (d *daemon) trust() (*tls.Config, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	roots.AddCert(d.authority.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
