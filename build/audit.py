"""Asks the package index for known vulnerabilities of the packages in the locks: `./pants audit`.

It exits with 1 when one has, and with 3 when the index tells nothing about any package, as mirrors
do: then nothing was audited. pip-audit reads the index's JSON API.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

VULNERABLE: Final = 1
NOTHING_AUDITED: Final = 3


def audit(lock: Path) -> list[dict[str, Any]]:
    """Return the packages of a lock as pip-audit describes them; raises SystemExit if it fails."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json")
    done = subprocess.run(  # noqa: S603 - constant arguments only
        [sys.executable, "-m", "pip_audit", *options, f"--requirement={lock}"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise SystemExit(f"{lock} could not be audited:\n{done.stderr}") from None
    return packages


def findings(lock: str, packages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each known vulnerability."""
    for package in packages:
        for found in package.get("vulns", ()):
            names = ", ".join([found["id"], *found["aliases"]])
            fixed = ", ".join(found["fix_versions"]) or "no version"
            yield f"{lock}: {package['name']} {package['version']}: {names}; fixed in {fixed}"


def main() -> int:
    """Audit all locks in 3rdparty/ of the current folder."""
    audited, unknown, lines = 0, set[str](), list[str]()
    for lock in sorted(Path("3rdparty").glob("*.lock")):
        packages = audit(lock)
        skipped = {package["name"] for package in packages if "skip_reason" in package}
        audited += len(packages) - len(skipped)
        unknown |= skipped
        lines += findings(lock.name, packages)
    lines.append(f"{audited} packages of the locks audited, {len(lines)} vulnerabilities known")
    vulnerable = len(lines) > 1
    if unknown and audited:
        lines.append(f"not known to the index, and not audited: {', '.join(sorted(unknown))}")
    if not audited:
        lines.append("this package index tells nothing about vulnerabilities: ask another one")
    print(*lines, sep="\n")  # noqa: T201
    if not audited:
        return NOTHING_AUDITED
    return VULNERABLE if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
