#!/usr/bin/env bash
# Start to the first answered signed call, on new and on existing data, and the
# resident memory when idle.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(mktemp -d)
trap 'bin/neargate down --data-dir "$data" >/dev/null || true; rm -rf "$data"' EXIT
measure() {
	local before after
	before=$(date +%s%N)
	bin/neargate up -d --data-dir "$data" --listen 127.0.0.1:0 >/dev/null
	eval "$(bin/neargate env --data-dir "$data")"
	curl -sf --aws-sigv4 "aws:amz:us-east-1:ecs" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H 'Content-Type: application/x-amz-json-1.1' -H 'X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters' \
		-d '{}' "$AWS_ENDPOINT_URL/" >/dev/null
	after=$(date +%s%N)
	echo "$1: $(((after - before) / 1000000)) ms from exec to the first answered signed call"
}
measure "new data"
for _ in 1 2 3 4 5; do
	bin/neargate down --data-dir "$data" >/dev/null
	measure "existing data"
done
pid=$(sed -n 's/.*"PID": \([0-9]*\).*/\1/p' "$data/run.json")
echo "idle: $(awk '/VmRSS/ {print int($2/1024)}' "/proc/$pid/status") MiB resident"
