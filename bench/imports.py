"""The yardstick of a start: `python -m bench.imports MODULE…` imports modules and says so."""

import contextlib
import importlib
import sys

if __name__ == "__main__":
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
