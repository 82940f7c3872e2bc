#!/usr/bin/env bash
# registry.sh start WHAT... | stop: a registry on loopback with images made on this
# machine (see e2e/registry), for the demo. Prints its URL.
set -euo pipefail
cd "$(dirname "$0")/.."

address=${NEARGATE_REGISTRY:-127.0.0.1:4567}
dir=$PWD/.cache/registry
program=$PWD/bin/neargate-registry

running() {
	[ -f "$dir/pid" ] && [ "$(readlink "/proc/$(cat "$dir/pid")/exe" 2>/dev/null)" = "$program" ]
}

stop() {
	running || return 0
	kill "$(cat "$dir/pid")"
	for _ in $(seq 100); do
		running || break
		sleep 0.1
	done
	rm -f "$dir/pid" "$dir/url"
}

start() {
	mkdir -p "$dir"
	if running && [ -f "$dir/url" ] && [ "$(cat "$dir/what" 2>/dev/null)" = "$*" ]; then
		cat "$dir/url"
		return
	fi
	stop
	rm -f "$dir/url"
	echo "$*" >"$dir/what"
	# From e2e, where the programs are that it builds images of.
	(cd e2e && exec setsid "$program" -dir "$dir/images" -listen "$address" -ready "$dir/url" "$@" >"$dir/log" 2>&1 </dev/null) &
	echo $! >"$dir/pid"
	for _ in $(seq 3000); do
		if [ -f "$dir/url" ]; then
			cat "$dir/url"
			return
		fi
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
		sleep 0.1
	done
	cat "$dir/log" >&2
	return 1
}

case ${1-} in
start) start "${@:2}" ;;
stop) stop ;;
*) echo "usage: registry.sh start WHAT... | stop" >&2; exit 2 ;;
esac
