#!/usr/bin/env bash
# Objects: MB/s and requests a second of signed puts and gets over HTTP, small and
# large, beside a file that is written and synced, or read, in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench Objects "$@" ./service/s3 | grep '^Benchmark'
