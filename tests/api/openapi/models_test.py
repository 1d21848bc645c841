"""Models that datamodel-code-generator makes of our document understand our answers."""

import importlib
import json
import sys
from functools import reduce
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from api.openapi.answers import Answer
from api.openapi.conftest import generate

Document = dict[str, Any]


@pytest.fixture(scope="session")
def models(document: Document, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Models of Pydantic for all bodies and parameters, which refuse what they do not know."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "openapi.json").write_text(json.dumps(document))
    options = {
        "input": "openapi.json",
        "input-file-type": "openapi",
        "output": "mousetrap_models.py",
        "preset": "standard-py313-20261027",
        "extra-fields": "forbid",
    }
    generate(
        folder,
        "datamodel_code_generator",
        *(f"--{name}={value}" for name, value in options.items()),
        *("--openapi-scopes", "schemas", "paths", "parameters", "requestbodies"),
        "--strict-refs",
    )
    sys.path.append(str(folder))
    return importlib.import_module(Path(options["output"]).stem)


def model(models: ModuleType, schema: Document) -> Any:
    """Return the model of a schema, or of a choice of several."""
    choices = schema.get("oneOf", [schema])
    names = [choice["$ref"].rpartition("/")[2] for choice in choices]
    return models.RootModel[reduce(or_, (getattr(models, name) for name in names))]


def test_there_is_one_for_each_object(models: ModuleType, document: Document) -> None:
    schemas = document["components"]["schemas"].items()

    assert {name for name, it in schemas if it.get("type") == "object"} <= vars(models).keys()


async def test_they_take_every_kind_of_answer(models: ModuleType, answers: list[Answer]) -> None:
    for answer in answers:
        model(models, answer.schema).model_validate_json(answer.body)
