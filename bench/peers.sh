#!/usr/bin/env bash
# Tasks through the API beside Debian's docker and podman and the raw runtime, in
# turns: from asking to the first line of the same program, image present. Medians.
#
#   bench/peers.sh [ROUNDS]    by default 10
#
# Everything runs in mount, process and network namespaces of its own, with a
# dockerd of its own: no rule, bridge, mount or process outlives the script, and
# another docker on the machine is not touched. docker and podman are installed when
# missing, without starting their services.
set -euo pipefail
cd "$(dirname "$0")/.."
bench=$PWD/bin/bench-run

# usable NAME COMMAND...: adds a peer, or says why there is none.
usable() {
	local name=$1 why
	shift
	if why=$("$@" 2>&1) && [ "$why" = first ]; then
		peers+=(-peer "$name=$*")
	else
		echo "left out: $name does not run here: ${why: -300}"
	fi
}

# limits prints this process's limits for podman, which otherwise asks for more
# than a root without CAP_SYS_RESOURCE may give.
limits() {
	local name letter soft hard
	while read -r name letter; do
		soft=$(ulimit "-S$letter") hard=$(ulimit "-H$letter")
		echo "--ulimit $name=${soft/unlimited/-1}:${hard/unlimited/-1}"
	done <<<$'nofile n\nnproc u'
}

# docker starts a dockerd and gives it the image.
docker() {
	local run="/usr/bin/docker -H unix://$dir/socket" up=""
	dockerd --config-file "$dir/daemon.json" --data-root "$dir/docker" --exec-root "$dir/exec" --pidfile "$dir/pid" \
		-H "unix://$dir/socket" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$cgroup" >"$dir/log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 150; i++)); do
		if $run version >"$dir/version" 2>&1; then up=yes && break; fi
		kill -0 $daemon 2>/dev/null || break
		sleep 0.2
	done
	if [ -z "$up" ]; then
		echo "left out: dockerd does not run here: $(tail -n 1 "$dir/log")"
		return
	fi
	tar -C "$dir/root" -c first | $run import - first >/dev/null
	usable "docker run" $run run --rm first /first
	usable "docker run, no network" $run run --rm --network=none first /first
}

# podman gives podman the image. runc is its runtime, as it is docker's.
podman() {
	local run="/usr/bin/podman --root $dir/podman --runroot $dir/podrun --tmpdir $dir/podtmp --runtime /usr/sbin/runc --cgroup-manager cgroupfs --events-backend none"
	local flags="--rm --cgroup-parent $cgroup $(limits | tr '\n' ' ')"
	if ! tar -C "$dir/root" -c first | $run import - first >"$dir/log" 2>&1; then
		echo "left out: podman does not run here: $(tail -n 1 "$dir/log")"
		return
	fi
	usable "podman run" $run run $flags first /first
	usable "podman run, no network" $run run $flags --network=none first /first
}

# inside is the script in its namespaces.
inside() {
	dir=$1 cgroup=$2 rounds=$3 daemon="" peers=()
	mkdir -p /var/lib/containers # podman's cache is always here
	for d in /run /dev/shm /var/lib/containers; do mount -t tmpfs tmpfs "$d"; done
	ip link set lo up
	echo '{}' >"$dir/daemon.json"
	docker
	podman
	cd e2e
	for how in "gvisor 2" "runc 0"; do
		read -r runtime warm <<<"$how"
		echo "$runtime, $warm sandboxes kept ready; load average $(cut -d' ' -f1 /proc/loadavg)"
		"$bench" -runtime "$runtime" -warm "$warm" -n "$rounds" "${peers[@]}"
	done
	[ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon"; } || true
}

# clean ends what is left of the namespaces and removes their cgroups and files. The
# first process of the namespaces is gone only when all others are, so that the
# numbers of processes in data directories name nothing any more.
clean() {
	local first
	if first=$(cat "/proc/$child/task/$child/children" 2>/dev/null) && [ -n "$first" ]; then
		kill -KILL $first 2>/dev/null || true
		wait "$child" 2>/dev/null || true
	elif [ -n "$child" ]; then
		kill -KILL "$child" 2>/dev/null || true
	fi
	for data in "$dir"/ngb*/data; do
		[ ! -d "$data" ] || bin/neargate down --data-dir "$data" >/dev/null || true
	done
	for ((i = 0; i < 50; i++)); do
		find /sys/fs/cgroup -depth -type d \( -path "*$cgroup" -o -path "*$cgroup/*" \) -exec rmdir {} + 2>/dev/null || true
		[ -n "$(find /sys/fs/cgroup -type d -path "*$cgroup" -print -quit)" ] || break
		sleep 0.1
	done
	rm -rf "$dir"
	rmdir /var/lib/containers 2>/dev/null || true # stays where podman is used
}

if [ "${1:-}" = inside ]; then
	shift
	inside "$@"
	exit
fi

scripts/need.sh docker podman
make -s bin/runsc
dir=$(mktemp -d /tmp/ngpXXXXXX)
cgroup=/${dir##*/} child=
trap clean EXIT
trap 'exit 130' INT TERM
(
	export CGO_ENABLED=0
	cd e2e
	go build -o "$bench" ./bench/run
	go build -trimpath -ldflags="-s -w -E main.entry" -o "$dir/root/first" ./first
)
TMPDIR=$dir unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc \
	bash bench/peers.sh inside "$dir" "$cgroup" "${1:-10}" &
child=$!
wait "$child"
