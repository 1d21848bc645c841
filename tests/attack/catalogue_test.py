"""The attacks are many, have names of their own, and use the limits of production."""

import re
from pathlib import Path

import yaml

from attack import accounts, catalogue
from attack.case import Kind
from attack.system import MEMORY, MIB, PROCESS_MEMORY
from deploy.files import text


def test_every_kind_has_attacks_and_each_attack_a_name() -> None:
    found = catalogue.attacks()

    names = [(it.kind, it.name) for it in found]
    assert len(names) == len(set(names))
    assert {it.kind for it in found} == set(Kind)
    assert len(found) > 400


def test_every_finding_has_a_row_in_the_documentation_and_its_proof() -> None:
    page = Path("docs/security.md").read_text("utf-8")

    rows = dict(re.findall(r"^\| (H\d|M\d|L\d|Also)\b([^\n]*)$", page, re.MULTILINE))
    tried = {it.finding for it in catalogue.attacks()} - {""}
    assert tried <= rows.keys()
    assert len(rows) == 5 + 6 + 8 + 1
    untried = {name for name, row in rows.items() if "| \u2013 |" in row}
    assert rows.keys() - untried == tried


def test_memory_is_limited_as_in_production() -> None:
    services = yaml.safe_load(text("production.yaml"))["services"]

    limits = {name: _bytes(services[name]["mem_limit"]) for name in (*MEMORY, "api")}
    assert limits == {**MEMORY, "api": PROCESS_MEMORY}


def test_scopes_of_tokens_are_in_their_names() -> None:
    assert all(set(scopes.split(",")) <= set(n.split("-")) for n, scopes in accounts.SCOPES.items())


def _bytes(limit: str) -> int:
    return int(limit[:-1]) * {"m": MIB, "g": 1024 * MIB}[limit[-1]]
