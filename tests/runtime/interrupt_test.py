import signal
import subprocess
import sys

import pytest

from support.processes import PYTHON_PATH

PROGRAM = """
import signal, sys

from mousetrap.runtime import interrupt

{before}
print("started", flush=True)
sys.stdin.read()
{after}
"""
GUARDED = "interrupt.guard()"


def interrupted(before: str, after: str = "", *, blocked: bool = False) -> tuple[int, str, str]:
    """Run a program, interrupt it when it has started, and return its exit code, output, errors."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(before=before, after=after)],
        env={"PYTHONPATH": PYTHON_PATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        child.send_signal(signal.SIGINT)
        # A blocked signal stays pending, and what is read ends with the input.
        out, err = child.communicate("" if blocked else None, 60)
        return child.returncode, out, err


def test_ctrl_c_ends_a_guarded_program_silently() -> None:
    assert interrupted(GUARDED) == (130, "", "")


def test_ctrl_c_of_the_time_before_the_guard_is_not_lost() -> None:
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})"

    assert interrupted(block, f"{GUARDED}\nprint('on')", blocked=True) == (130, "", "")


@pytest.mark.parametrize("again", [False, True])
def test_ctrl_c_is_raised_where_that_is_asked_for(*, again: bool) -> None:
    body = "raise KeyboardInterrupt" if again else "sys.stdin.read()"
    program = f"""
{GUARDED}
try:
    with interrupt.raised():
        print("started", flush=True)
        sys.stdin.read()
except KeyboardInterrupt:
    print("cleaned up", flush=True)
    signal.raise_signal(signal.SIGINT)
    {body}
"""
    assert interrupted(program) == (130, "cleaned up\n", "")
