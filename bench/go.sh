#!/usr/bin/env bash
# The Go benchmarks of the hot paths, in ns and allocations: signature
# verification, codecs, front door, whole calls without the network, the
# store's commits and reads, and the log store beside a file.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench . -benchtime 300ms -benchmem ./wire/... ./store/etcd ./dataplane/logstore ./cmd/neargate "$@" | grep '^Benchmark'
