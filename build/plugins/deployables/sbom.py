"""A software bill of materials, in CycloneDX 1.6, of what a PEX file and its image hold.

It is a function of its inputs: no time, no random number, no name of a machine.
"""

import hashlib
import io
import json
import re
import uuid
import zipfile
from email.parser import BytesHeaderParser
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

PYPI = "https://pypi.org/project"


class Wheel(NamedTuple):
    """An installed package: its name as in PEP 503, and the headers of its METADATA."""

    name: str
    version: str
    metadata: Any

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"

    def requires(self) -> Iterator[str]:
        """Yield the names of what it needs without being asked for extras."""
        for line in self.metadata.get_all("Requires-Dist", ()):
            requirement, _, marker = line.partition(";")
            if not re.search(r"\bextra\b", marker):
                yield _normal(requirement)


def _normal(requirement: str) -> str:
    [name] = re.findall(r"^[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", name).lower()


def _wheels(archive: zipfile.ZipFile) -> Iterator[Wheel]:
    for file in archive.namelist():
        if re.fullmatch(r"\.deps/[^/]+\.whl/[^/]+\.dist-info/METADATA", file):
            headers = BytesHeaderParser().parsebytes(archive.read(file))
            yield Wheel(_normal(headers["Name"]), headers["Version"], headers)


def _licenses(metadata: Any) -> List[Dict[str, Any]]:
    if metadata["License-Expression"]:
        return [{"expression": metadata["License-Expression"]}]
    classifiers = metadata.get_all("Classifier", ())
    named = [it.split(" :: ")[-1] for it in classifiers if it.startswith("License :: ")]
    short = [line for line in [metadata["License"] or ""] if 0 < len(line) <= 64]
    return [{"license": {"name": name}} for name in sorted(set(named or short))]


def _locked(lock: str) -> Dict[Tuple[str, str], List[str]]:
    """Return the hashes of all files of each package that the lock allows."""
    found = {}
    for entry in re.split(r"\n(?=\S)", lock):
        head = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", entry)
        if head:
            digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
            found[_normal(head[1]), head[2]] = sorted(digests)
    return found


def _library(wheel: Wheel, hashes: List[str]) -> Dict[str, Any]:
    component: Dict[str, Any] = {
        "type": "library",
        "bom-ref": wheel.purl,
        "name": wheel.name,
        "version": wheel.version,
        "purl": wheel.purl,
    }
    licenses = _licenses(wheel.metadata)
    if licenses:
        component["licenses"] = licenses
    if hashes:
        component["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"{PYPI}/{wheel.name}/{wheel.version}/",
                "comment": "one of the files with these hashes, as the lock asks",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
            }
        ]
    return component


def _base(image: str) -> Dict[str, Any]:
    name, _, digest = image.partition("@sha256:")
    name, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    component: Dict[str, Any] = {"type": "container", "bom-ref": image, "name": name, "version": tag}
    if digest:
        component["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return component


def document(
    name: str, version: str, pex: bytes, lock: str, base: Optional[str] = None
) -> bytes:
    """Return the document of a PEX file, or of the image `name` that adds it to `base`."""
    with zipfile.ZipFile(io.BytesIO(pex)) as archive:
        wheels = {wheel.name: wheel for wheel in sorted(_wheels(archive))}
        wanted = json.loads(archive.read("PEX-INFO"))["requirements"]
    locked = _locked(lock)
    root = {
        "type": "container" if base else "application",
        "bom-ref": name,
        "name": name,
        "version": version,
        "properties": [
            {"name": "mousetrap:pex:sha256", "value": hashlib.sha256(pex).hexdigest()},
        ],
    }
    edges = {
        wheel.name: sorted({*wheel.requires()} & {*wheels} - {wheel.name})
        for wheel in wheels.values()
    }
    direct = {_normal(requirement) for requirement in wanted} & {*wheels}
    # Extras lead to the others, and are not followed.
    direct |= {*wheels} - _reached(direct, edges)
    refs = [*([base] if base else ()), *(wheels[it].purl for it in sorted(direct))]
    content = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": [
            *([_base(base)] if base else ()),
            *(_library(it, locked.get((it.name, it.version), [])) for it in wheels.values()),
        ],
        "dependencies": [
            {"ref": name, "dependsOn": refs},
            *(
                {"ref": wheels[it].purl, "dependsOn": [wheels[to].purl for to in edges[it]]}
                for it in wheels
            ),
        ],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    content["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{digest}").urn
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def _reached(start: Set[str], edges: Dict[str, List[str]]) -> Set[str]:
    seen, todo = set(), list(start)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += edges[name]
    return seen
