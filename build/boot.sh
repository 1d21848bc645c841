#!/bin/sh
# Runs this PEX file with a CPython 3.13, found as `./pants` finds it: on the PATH, below pyenv, through uv, or
# where `./pants` has installed one.
fits() { # PYTHON: the check also finds a shim of pyenv out that leads nowhere
    "$1" -IS -c '
import sys
sys.exit(sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 13))' 2>/dev/null
}

python=python3.13
if ! fits "$python"; then
    for python in "${PYENV_ROOT:-${HOME-}/.pyenv}"/versions/3.13.*/bin/python3.13 \
        "$(uv python find --system 3.13 2>/dev/null)" \
        "${XDG_CACHE_HOME:-${HOME-}/.cache}"/mousetrap/python/cpython-3.13.*/bin/python3.13 ''; do
        if fits "$python"; then break; fi
    done
fi
if [ -z "$python" ]; then
    echo "$0: CPython 3.13 is missing: install it, for example with \`uv python install 3.13\` or pyenv" >&2
    exit 127
fi
exec "$python" "$0" "$@"
