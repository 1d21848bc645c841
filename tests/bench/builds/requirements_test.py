import zipfile
from pathlib import Path

from bench.builds.requirements import Needs, closure

LOCK = """\
anyio==4.16.0 \\
    --hash=sha256:aa
    # via httpx2
certifi==2026.10.18 \\
    --hash=sha256:bb
    # via
    #   -r default.in
    #   httpcore
httpcore==1.0.9 \\
    --hash=sha256:cc
    # via httpx2
httpx2==0.28.1 \\
    --hash=sha256:dd
    # via -r default.in
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:ee
    # via faker
"""


def test_a_package_comes_with_all_that_it_asks_for_and_with_nothing_else() -> None:
    lines = closure(LOCK, ["httpx2==0.28.1"]).splitlines()

    found = [line for line in lines if not line.startswith(" ")]
    assert found == [
        "anyio==4.16.0 \\",
        "certifi==2026.10.18 \\",
        "httpcore==1.0.9 \\",
        "httpx2==0.28.1 \\",
    ]
    assert [line.strip() for line in lines if "--hash" in line] == [
        f"--hash=sha256:{2 * letter}" for letter in "abcd"
    ]


def test_a_pex_file_tells_packages_and_requirements(tmp_path: Path) -> None:
    pex = tmp_path / "some.pex"
    with zipfile.ZipFile(pex, "w") as archive:
        archive.writestr("PEX-INFO", '{"requirements": ["httpx2==0.28.1"]}')
        archive.writestr("mousetrap/__init__.py", "")
        archive.writestr("mousetrap/geo/point.py", "")
        archive.writestr(".deps/httpx2-0.28.1.whl/httpx2/__init__.py", "")

    assert Needs.of(pex) == Needs({"geo"}, ["httpx2==0.28.1"])
