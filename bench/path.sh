#!/usr/bin/env bash
# The network from task to task, of gVisor and of runc, beside processes on a veth pair
# and on a bridge, and for gVisor sandboxes without neargate on a veth pair, in turns:
# round trips, connections a second, bytes. Medians.
#
#   bench/path.sh [TURNS]    by default 15
set -euo pipefail
cd "$(dirname "$0")/.."
make -s bin/runsc
cd e2e
CGO_ENABLED=0 go build -o ../bin/bench-run ./bench/run
for runtime in gvisor runc; do
	echo "$runtime; load average $(cut -d' ' -f1-3 /proc/loadavg)"
	../bin/bench-run -path -runtime "$runtime" -warm 0 -n "${1:-15}"
done
