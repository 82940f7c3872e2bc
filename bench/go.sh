#!/usr/bin/env bash
# The Go benchmarks of the hot paths: signature verification, codecs, front door,
# store, scheduler.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench . -benchmem ./wire/... ./store/... ./sim/... "$@"
