"""A counterexample as text."""

from collections.abc import Iterator, Sequence

from model.explorer import Counterexample
from model.state import State
from model.step import Step


def text(found: Counterexample) -> str:
    """Return a promise that is broken, and the run that breaks it, one step a line."""
    lines = [f"{found.promise}:", *_lines(found.run)]
    if found.cycle:
        lines += ["and then again and again:", *_lines(found.cycle)]
    return "\n".join(lines)


def _lines(run: Sequence[Step]) -> Iterator[str]:
    for number, step in enumerate(run, start=1):
        action = f"{step.name} {step.detail}".strip()
        fault = " (fault)" if step.fault else ""
        yield f"{number:3}  {action + fault:64} {_job(step.state)}".rstrip()


def _job(state: State) -> str:
    row = state.row
    if row is None:
        return "no job"
    sent = "" if row.sent or row.state != "queued" else ", not sent"
    return f"{row.state}, attempt {row.attempts}{sent}"
