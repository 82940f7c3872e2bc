#!/usr/bin/env bash
# Output of containers: lines a second from the shim's segments to the log store,
# beside writing and reading the same segments; how long until a line is readable;
# and what an event takes on disk beside zstd -3 of the bare lines.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench 'Follow|Latency' "$@" ./node/logdriver | grep '^Benchmark'
go test -run '^$' -bench 'Scan/newest-100$' ./dataplane/logstore | grep '^Benchmark'
