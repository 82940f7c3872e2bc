#!/usr/bin/env bash
# Task to task through a VPC beside a veth pair and a bridge, in turns: round trips,
# connections a second and bytes, with groups of 1, 100 and 10,000 members; what an
# interface costs beside 1, 25 and 250 others, and in a namespace that is there; what a
# change to a group of 10,000 costs; what it takes to make, to look after and to remove 500
# interfaces in 20 VPCs.
# Needs root: everything runs in network namespaces of its own.
#
#   bench/network.sh [TURNS]    by default 20
set -euo pipefail
cd "$(dirname "$0")/.."
echo "load average $(cut -d' ' -f1-3 /proc/loadavg)"
go test -run none -bench 'Path|Interface|Group|Reconcile' -benchtime "${1:-20}x" ./node/network |
	sed -nE 's/^ +[a-z_]+\.go:[0-9]+: //p; /^Benchmark(Interface|Group|Reconcile)/s/ +\t/ /gp'
