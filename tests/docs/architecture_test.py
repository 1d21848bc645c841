"""Each package imports all that its BUILD file allows, and the architecture page shows the same."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

type Rights = Mapping[str, set[str]]

PAGE = Path("docs/architecture.md").read_text("utf-8")
MACROS = ("library", "deployable", "program")


def allowed() -> Rights:
    """The packages that each BUILD file allows."""
    return {
        file.parent.name: packages(node)
        for file in Path("src/mousetrap").glob("*/BUILD")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MACROS
    }


def packages(call: ast.Call) -> set[str]:
    lists = (it.value for it in call.keywords if it.arg == "packages")
    return set(next(map(ast.literal_eval, lists), ()))


def imported(package: str) -> set[str]:
    """The other packages that the modules of a package import."""
    modules = Path("src/mousetrap", package).rglob("*.py")
    text = "\n".join(module.read_text("utf-8") for module in modules)
    found = re.findall(r"^\s*(?:from|import) mousetrap\.(\w+)", text, re.MULTILINE)
    return set(found) - {package}


def everything_below(rights: Rights) -> Rights:
    """The packages that each one reaches, by itself or through others."""

    def reached(names: Iterable[str]) -> set[str]:
        return {found for name in names for found in ({name} | reached(rights.get(name, ())))}

    return {package: reached(names) for package, names in rights.items()}


@pytest.mark.parametrize("package", sorted(allowed()))
def test_a_package_imports_all_that_it_may_import(package: str) -> None:
    assert imported(package) == allowed()[package]


def test_the_table_is_what_the_build_files_allow() -> None:
    table = PAGE.split("| package | purpose | may import |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", table, re.MULTILINE)

    shown = {package: set(re.findall(r"`(\w+)`", names)) for package, names in rows}
    assert shown.pop("stack") == set()  # it may import anything
    assert shown == {package: allowed()[package] for package in shown}


def test_the_arrows_are_what_the_build_files_allow() -> None:
    diagram = PAGE.split("flowchart BT\n")[1].split("```")[0].split("\n    stack")[0]
    arrows = re.findall(r"^    (\w+) --> (.*)$", diagram, re.MULTILINE)

    drawn = everything_below({package: set(names.split(" & ")) for package, names in arrows})
    below = everything_below(allowed())
    assert drawn == {package: below[package] for package in drawn}
