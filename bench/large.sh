#!/usr/bin/env bash
# 5,000 nodes and 100,000 tasks: how fast the scheduler places them durably, how
# fast a daemon starts that has them, what signed DescribeTasks calls take then,
# and how much memory it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(mktemp -d)
trap 'bin/neargate down --data-dir "$data" >/dev/null || true; rm -rf "$data"' EXIT
(cd e2e && go build -o ../bin/bench-api ./bench/api)

go test -run '^$' -bench Large -benchtime 1x ./sim | grep Benchmark

go run ./bench/fill -data-dir "$data"
before=$(date +%s%N)
bin/neargate up -d --runtime fake --no-throttle --data-dir "$data" --listen 127.0.0.1:0 >/dev/null
echo "start with 100,000 tasks: $((($(date +%s%N) - before) / 1000000)) ms"
bin/bench-api -large "$data" -length 3s "$@"
