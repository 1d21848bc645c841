import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import clocks
from chaos.clocks import Clock

DEADLINE = 30.0

WAIT = """
import sys, threading, time
def work():
    while True:
        pass
sys.setswitchinterval(0.2)
threading.Thread(target=work, daemon=True).start()
begin = time.perf_counter()
threading.Event().wait(0.01)  # lets the other thread work, for an interval at least
print(time.perf_counter() - begin)
"""


def test_the_threads_of_a_process_with_a_clock_of_its_own_do_not_interrupt_each_other(
    tmp_path: Path,
) -> None:
    if clocks.library() is None:
        pytest.skip("there is no libfaketime: apt install faketime")
    clock = Clock(tmp_path / "clock")
    clock.set(0)

    took = subprocess.check_output(
        [sys.executable, "-c", WAIT], env={**os.environ, **clock.environment}, timeout=DEADLINE
    )

    assert float(took) > 0.1
