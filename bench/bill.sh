#!/usr/bin/env bash
# The bill of a month of 100,000 tasks a day: adding their six million usage records
# to the ledger, what they take on disk, and reports over them, beside decoding
# 60,000 records as JSON from a file, a hundredth of what a bill without sums would
# have to read.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench Month -benchtime 5x -timeout 20m ./billing/report -args -month.tasks "${1:-3000000}" | grep -E '^Benchmark|records added'
