#!/usr/bin/env bash
# Start to the first answered signed call, on new and on existing data, and the
# resident memory and processor time when idle.
set -euo pipefail
cd "$(dirname "$0")/../e2e"
go build -o ../bin/bench-api ./bench/api
exec ../bin/bench-api -start "$@"
