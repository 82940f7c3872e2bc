#!/usr/bin/env bash
# Sandboxes beside the raw runtimes in the same run: from asking to a container's
# first line, cold and warm; bursts; beside idle tasks; stops; memory. Medians.
#
#   bench/sandbox.sh [STARTS [BURST [RUNNING]]]    by default 30 100 200
set -euo pipefail
cd "$(dirname "$0")/.."
starts=${1:-30}
export NEARGATE_BENCH_BURST=${2:-100} NEARGATE_BENCH_RUNNING=${3:-200}

measure() { go test -run '^$' -timeout 1h -bench "$2\$" -benchtime "$3" "./node/sandbox/$1"; }

# figure NAME: the value of a metric in the benchmark's line on standard input.
figure() { awk -v want="$1" '/^Benchmark/ { for (i = 3; i < NF; i += 2) if ($(i + 1) == want) print $i }'; }

row() { printf '%-34s %10s %10s %8s\n' "$@"; }

for runtime in gvisor runc; do
	line=$(measure $runtime Start "${starts}x")
	row "$runtime" ms "raw ms" "/ raw"
	for kind in cold warm; do
		ms=$(figure $kind-ms <<<"$line")
		[ -n "$ms" ] || continue
		row "  start to first line, $kind" "$ms" "$(figure raw-ms <<<"$line")" "$(figure $kind/raw <<<"$line")"
		for part in open create start close; do
			row "    $part" "$(figure $kind-$part-ms <<<"$line")" "" ""
		done
	done
	row "  raw run's first line" "" "$(figure raw-line-ms <<<"$line")" ""
	line=$(measure $runtime Burst 1x)
	row "  burst of $NEARGATE_BENCH_BURST, a second" "$(figure tasks/s <<<"$line")" "$(figure raw/s <<<"$line")" "$(figure tasks/raw <<<"$line")"
	kinds=Beside
	[ $runtime = runc ] || kinds="Beside BesideWarm"
	for bench in $kinds; do
		line=$(measure $runtime "$bench" 10x)
		row "$runtime, $bench" ms "alone ms" "/ alone"
		row "  start beside $NEARGATE_BENCH_RUNNING idle tasks" "$(figure beside-ms <<<"$line")" "$(figure alone-ms <<<"$line")" "$(figure beside/alone <<<"$line")"
		row "  stop one, four at a time" "$(figure stop-ms <<<"$line")" "" ""
		row "  memory of an idle task, MiB" "$(figure task-MiB <<<"$line")" "" ""
	done
done
