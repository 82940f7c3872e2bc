#!/usr/bin/env bash
# Bulk: the AWS CLI uploads one large object in parts and synchronizes many small files,
# both ways; prints seconds and the most memory that neargate held.
#
#   bench/bulk.sh [-gib 5] [-files 1000]
set -euo pipefail
cd "$(dirname "$0")/.."
gib=5 files=1000
while [ $# -gt 0 ]; do
	case "$1" in
	-gib) gib=$2 ;;
	-files) files=$2 ;;
	*) sed -n 5p "$0" >&2; exit 2 ;;
	esac
	shift 2
done
test -x bin/neargate || make build
command -v aws >/dev/null || { echo "bench/bulk.sh: no aws" >&2; exit 2; }

dir=$(mktemp -d /var/tmp/neargate-bulk-XXXXXX)
# Freed at once, whatever happens: the objects are as large as the disk has room for.
trap 'bin/neargate down --data-dir "$dir/data" >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
free=$(($(df --output=avail -k "$dir" | tail -1) / 1024 / 1024))
if [ "$free" -lt $((gib + 2)) ]; then
	echo "bench/bulk.sh: $free GiB free, $((gib + 2)) needed" >&2
	exit 2
fi
bin/neargate up -d --data-dir "$dir/data" --listen 127.0.0.1:0 --runtime fake --no-throttle >/dev/null
eval "$(bin/neargate env --data-dir "$dir/data")"
export HOME=$dir AWS_MAX_ATTEMPTS=1 AWS_EC2_METADATA_DISABLED=true
pid=$(sed -n 's/.*"PID": *\([0-9]*\).*/\1/p' "$dir/data/run.json")

memory() { awk -v what="$1:" '$1 == what {printf "%d", $2 / 1024}' "/proc/$pid/status"; }

# measure WHAT COMMAND...: one line about a command, its peak counted from the start of it.
measure() {
	local what=$1 before
	shift
	echo 5 >"/proc/$pid/clear_refs"
	before=$(date +%s%N)
	"$@" >/dev/null
	awk -v what="$what" -v ns="$(($(date +%s%N) - before))" -v peak="$(memory VmHWM)" \
		'BEGIN {printf "%-44s %7.1f s   peak %4d MiB\n", what, ns / 1e9, peak}'
}

echo "load average $(cut -d' ' -f1 /proc/loadavg) on $(nproc) processors"
printf '%-44s %9s   now  %4d MiB\n' 'at rest' '' "$(memory VmRSS)"
aws s3 mb s3://bulk >/dev/null
truncate -s "${gib}G" "$dir/large"
measure "upload of $gib GiB in parts" aws s3 cp --quiet "$dir/large" s3://bulk/large
test "$(aws s3api head-object --bucket bulk --key large --query ContentLength)" = $((gib << 30))
measure "download of $gib GiB" bash -c 'aws s3 cp --quiet s3://bulk/large - | cmp - '"$dir/large"
rm "$dir/large"
aws s3 rm --quiet s3://bulk/large

mkdir "$dir/many" "$dir/back"
for i in $(seq "$files"); do
	mkdir -p "$dir/many/$((i % 20))"
	head -c $((i * 37 % 9000)) /dev/zero | tr '\0' "$((i % 10))" >"$dir/many/$((i % 20))/$i"
done
measure "sync of $files files" aws s3 sync --quiet "$dir/many" s3://bulk/many
measure "sync again, of none" aws s3 sync --quiet "$dir/many" s3://bulk/many
measure "sync back" aws s3 sync --quiet s3://bulk/many "$dir/back"
diff -r "$dir/many" "$dir/back"
