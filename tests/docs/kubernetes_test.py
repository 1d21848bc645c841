"""docs/operations/kubernetes-run.txt: it is the record of a run of the commands of the page."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path("docs/operations/kubernetes.md").read_text("utf-8")
RUN: Final = Path("docs/operations/kubernetes-run.txt").read_text("utf-8")


def test_every_command_of_the_page_was_run() -> None:
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    commands = re.findall(r"(?:.*\\\n)*.+\n", blocks)

    assert len(commands) > len(re.findall("^helm", blocks, re.MULTILINE))
    for command in commands:
        assert f"$ {command}" in RUN


def test_page_tells_what_became_of_the_requests_of_the_run() -> None:
    told = re.findall(r"^\| .* \| ([\d,]+) \| (\d+) \| ([\d,]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    found = re.findall(
        r"^# callers: refused (\d+), accepted (\d+), ended (\d+), failed 0, lost (\d+)$",
        RUN,
        re.MULTILINE,
    )

    assert found
    assert [(refused, accepted, ended, lost) for accepted, refused, ended, lost in told] == found
