#!/usr/bin/env bash
# The way of a task through the API, image present: RunTask to its first line and
# to RUNNING, StopTask to STOPPED, beside the raw runtime's run of the same program
# in turns. Medians.
#
#   bench/task.sh [TASKS [RUNNING]]    by default 20 tasks, with none and 200 others
set -euo pipefail
cd "$(dirname "$0")/.."
make -s bin/runsc
cd e2e
CGO_ENABLED=0 go build -o ../bin/bench-run ./bench/run
n=${1:-20}
for beside in 0 "${2:-200}"; do
	for how in "gvisor 2" "gvisor 0" "runc 0"; do
		read -r runtime warm <<<"$how"
		echo "$runtime, $warm sandboxes kept ready, $beside tasks running"
		../bin/bench-run -runtime "$runtime" -warm "$warm" -n "$n" -beside "$beside"
	done
done
