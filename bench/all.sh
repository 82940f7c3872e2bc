#!/usr/bin/env bash
# Runs every benchmark on a fresh build, in a few minutes. Each prints what it
# measures beside what; docs/performance.md has figures and how to read them.
set -euo pipefail
cd "$(dirname "$0")"
make -s -C .. build sandboxes bin/runsc
for part in start api policies large go logs objects registry network path sandbox task; do
	echo "== bench/$part.sh"
	"./$part.sh"
	echo
done
