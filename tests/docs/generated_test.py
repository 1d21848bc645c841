"""The generated pages are what the code says."""

import re
from pathlib import Path

import catalogue
import chart
import command_line
import compose
import configuration
import failures
import pytest
import source_reference
import valkey_users

from mousetrap.settings import sources
from mousetrap.settings.source_kinds import KINDS

FENCE = re.MULTILINE | re.DOTALL


def test_command_line_page_is_what_the_commands_say() -> None:
    assert (
        Path("docs/command-line.md").read_text("utf-8") == command_line.page()
    ), "docs/command-line.md is stale: run ./pants docs"


def test_configuration_page_is_what_the_settings_say() -> None:
    assert (
        Path("docs/configuration.md").read_text("utf-8") == configuration.page()
    ), "docs/configuration.md is stale: run ./pants docs"


def test_page_of_sources_is_what_the_settings_say() -> None:
    assert (
        Path("docs/sources.md").read_text("utf-8") == source_reference.page()
    ), "docs/sources.md is stale: run ./pants docs"


def test_examples_of_sources_are_read(tmp_path: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", Path("docs/sources.md").read_text("utf-8"), FENCE)
    file = tmp_path / "sources.toml"
    file.write_text("\n".join(blocks), "utf-8")

    found = sources.load(file).sources

    assert {source.kind for source in found.values()} == {
        str(kind.__struct_config__.tag) for kind in KINDS
    } - {"faker"}


def test_failure_matrix_is_what_the_runs_say() -> None:
    assert (
        Path("docs/operations/failure-matrix.md").read_text("utf-8") == failures.page()
    ), "docs/operations/failure-matrix.md is stale: run ./pants docs"


def test_catalogue_of_metrics_and_log_events_is_what_the_code_says() -> None:
    assert (
        Path("docs/telemetry.md").read_text("utf-8") == catalogue.page()
    ), "docs/telemetry.md is stale: run ./pants docs"


def test_workers_in_compose_files_are_what_the_stages_say() -> None:
    for file, text in compose.files().items():
        assert file.read_text("utf-8") == text, f"{file} is stale: run ./pants docs"


def test_chart_is_what_the_stages_and_the_settings_say() -> None:
    for file, text in chart.files().items():
        assert file.read_text("utf-8") == text, f"{file} is stale: run ./pants docs"


def test_users_of_valkey_are_what_the_stages_say() -> None:
    assert (
        Path("deploy/valkey/users.acl").read_text("utf-8") == valkey_users.text()
    ), "deploy/valkey/users.acl is stale: run ./pants docs"


def test_catalogue_knows_events_however_they_are_logged() -> None:
    source = """
LATE = "it is late"
log.warning(LATE, job_id=1)
log.log(logging.DEBUG if quiet else logging.INFO, "request", status=200)
log.exception("broken")
"""

    assert [
        (event.text, event.levels, event.fields) for event in catalogue.events("x", source)
    ] == [
        ("it is late", ("warning",), ("job_id",)),
        ("request", ("debug", "info"), ("status",)),
        ("broken", ("error",), ()),
    ]


def test_catalogue_refuses_an_event_that_nobody_could_look_up() -> None:
    with pytest.raises(ValueError, match="x:1: name the event"):
        catalogue.events("x", "log.info(f'job {job_id}')")
