"""The generated pages are what the code says."""

from pathlib import Path

import configuration


def test_configuration_page_is_what_the_settings_say() -> None:
    assert (
        Path("docs/configuration.md").read_text("utf-8") == configuration.page()
    ), "docs/configuration.md is stale: run ./pants docs"
