#!/usr/bin/env bash
# Signed DescribeTasks and RegisterTaskDefinition: calls a second and per
# CPU-second beside moto_server and beside a bare Go HTTP server.
set -euo pipefail
cd "$(dirname "$0")/../e2e"
go build -o ../bin/bench-api ./bench/api
cpus=$(nproc)
exec taskset -c $((cpus - 1)) ../bin/bench-api "$@"
