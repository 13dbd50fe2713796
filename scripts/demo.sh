#!/usr/bin/env bash
# Set up, then simulate a small project and run steps 10-16 on it. Arguments: the folder, see `cryoflow demo --help`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/setup.sh"
exec "$root/.venv/bin/cryoflow" demo "$@"
