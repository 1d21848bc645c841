"""Types that openapi-typescript makes of our document fit our answers. It and the compiler are
found on PATH; where they are not, the test is skipped, unless TEST_TYPESCRIPT=1 is set."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from api.openapi.answers import Answer
from api.openapi.conftest import run

REQUIRED = os.environ.get("TEST_TYPESCRIPT") == "1"

USE = """\
import type { components, operations } from "./types";
type Schemas = components["schemas"];
// @ts-expect-error: there is no such state
void ("lost" satisfies Schemas["State"]);
// @ts-expect-error: these are not all members
void ({ source: "demo" } satisfies Schemas["RefreshAccepted"]);
"""


@pytest.mark.skipif(
    not REQUIRED and not (shutil.which("openapi-typescript") and shutil.which("tsc")),
    reason="needs openapi-typescript and TypeScript, which .ci/typescript installs",
)
async def test_types_fit_every_kind_of_answer(
    document: dict[str, Any], answers: list[Answer], tmp_path: Path
) -> None:
    path = os.environ["PATH"]
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    names = [f'void (0 as unknown as Schemas["{it}"]);' for it in document["components"]["schemas"]]
    (tmp_path / "use.ts").write_text("\n".join([USE, *names, *map(use, answers)]))

    run(tmp_path, "openapi-typescript", "openapi.json", "--output=types.ts", PATH=path)

    run(tmp_path, "tsc", "--strict", "--noEmit", "use.ts", PATH=path)


def use(answer: Answer) -> str:
    """Return a statement that compiles if an answer fits its type."""
    operation, status, media = answer.kind
    return (
        f"void ({answer.body.decode()} satisfies"
        f' operations["{operation}"]["responses"][{status}]["content"]["{media}"]);'
    )
