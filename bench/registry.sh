#!/usr/bin/env bash
# Pushes and pulls one large layer and many small ones, beside Debian's
# docker-registry on the same disk in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh aws docker-registry
(cd e2e && go build -o ../bin/bench-registry ./bench/registry)

dir=$(mktemp -d) peer=""
neargate="bin/neargate" data="$dir/neargate"
finish() {
	[ -z "$peer" ] || kill "$peer" || true
	$neargate down --data-dir "$data" >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT

cat >"$dir/peer.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/peer}}
http: {addr: 127.0.0.1:4599}
END
docker-registry serve "$dir/peer.yml" >"$dir/peer.log" 2>&1 &
peer=$!
$neargate up -d --data-dir "$data" --listen 127.0.0.1:0 --runtime fake --no-throttle -profile "" >/dev/null
eval "$($neargate env --data-dir "$data")"
aws ecr create-repository --repository-name bench >/dev/null
for _ in $(seq 100); do
	if (: </dev/tcp/127.0.0.1/4599) 2>/dev/null; then break; fi
	sleep 0.1
done

for _ in 1 2; do # the first time warms
	aws ecr get-login-password | bin/bench-registry -user AWS "$@" neargate "$AWS_ENDPOINT_URL" bench
	bin/bench-registry "$@" docker-registry http://127.0.0.1:4599 bench
done
