#!/usr/bin/env bash
# Runs every benchmark. Each prints what it measures beside what.
set -euo pipefail
cd "$(dirname "$0")"
./start.sh
./api.sh
./go.sh
