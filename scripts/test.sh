#!/usr/bin/env bash
# Set up, then run every check, the documentation included; stops at the first that fails and names it. Arguments go to pytest.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

"$root/scripts/setup.sh"
export PATH="$root/.venv/bin:$PATH"

check() {
    local name=$1
    shift
    echo "== $name"
    if ! "$@"; then
        echo "test: $name failed" >&2
        exit 1
    fi
}

check "ruff check" ruff check .
check "ruff format" ruff format --check .
check "mypy" mypy
check "import-linter" lint-imports
check "docs" env NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --clean
check "pytest" pytest "$@"
