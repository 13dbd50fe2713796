#!/usr/bin/env bash
# Make .venv with cryoflow, the torch build that fits this machine, and what the tests need.
# A second call finds nothing to do, and says nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
    echo "setup: $*" >&2
    exit 1
}

# Quiet when all is well; the whole story when it is not.
step() {
    local what=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        fail "$what failed"
    fi
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [[ -n $candidate ]] && command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or later as python3; PYTHON=/path/to/python3 names another one"
}

make_venv() {
    local python
    python=$(find_python)
    step "making $venv (on Debian and Ubuntu: apt install python3-venv)" "$python" -m venv "$venv"
}

# Any torch that is there already is left alone; then a local build; then the build for this machine's GPU.
install_torch() {
    if "$venv/bin/python" -c 'import torch' 2>/dev/null; then return; fi
    # The build itself comes from local files only (where there are any), what it needs from the usual place.
    if "$venv/bin/pip" install --quiet --no-index --no-deps torch==2.13.0 >"$log" 2>&1; then
        step "installing what torch needs" "$venv/bin/pip" install --quiet torch==2.13.0
        return
    fi
    step "installing uv" "$venv/bin/pip" install --quiet uv
    UV_PYTHON_DOWNLOADS=never step "installing torch (a build put into .venv by hand is left as it is)" \
        "$venv/bin/uv" pip install --python "$venv/bin/python" --torch-backend=auto torch
}

# The stamp names the project file and the folder: after either has changed, things are installed anew.
wanted="$(cksum pyproject.toml) $PWD"
stamp=$venv/cryoflow-setup
if [[ -x $venv/bin/cryoflow && -f $stamp && $(<"$stamp") == "$wanted" ]]; then exit 0; fi

if [[ ! -x $venv/bin/pip ]]; then make_venv; fi
install_torch
step "installing cryoflow" "$venv/bin/pip" install --quiet -e '.[test,docs]'
echo "$wanted" >"$stamp"
