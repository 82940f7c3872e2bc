#!/usr/bin/env bash
# Signed calls of users with policies of 1 and 100 statements, and of the root user, in
# turns: calls a second and per CPU-second, and what the evaluator takes for a decision.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -run '^$' -bench Decide -benchtime 300ms -benchmem ./auth/policy | grep '^Benchmark'
cd e2e
go build -o ../bin/bench-api ./bench/api
cpus=$(nproc)
exec taskset -c $((cpus - 1)) ../bin/bench-api -policies "$@"
