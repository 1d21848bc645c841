"""`python -m mousetrap.stack`: the program `up`."""

import sys

from mousetrap.runtime import interrupt, naming


def main() -> int:
    """Run the program and return its exit code."""
    interrupt.guard()
    from mousetrap.stack import command  # noqa: PLC0415 - guarded, as the imports take a while

    return command.main(sys.argv[1:])


if __name__ == "__main__":
    naming.name("up")
    sys.exit(main())
