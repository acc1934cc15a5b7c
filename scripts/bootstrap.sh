#!/bin/sh
# Find a Python that is new enough and let it fill .venv: scripts/bootstrap.sh SET...
# PYTHON names another interpreter. The rest is scripts/bootstrap.py.
set -eu

here=$(dirname -- "$0")
is_new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    # The interpreter is run, not just looked up: a version manager's shim may exist and lead nowhere.
    if [ -n "$python" ] && "$python" -c "$is_new_enough" >/dev/null 2>&1; then
        exec "$python" "$here/bootstrap.py" "$@"
    fi
done

echo "No Python 3.11 or newer was found. Install one (Debian: apt-get install python3) or set PYTHON=/path/to/python3." >&2
exit 1
