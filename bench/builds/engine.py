"""The Docker engine, and a simulated registry."""

import gzip
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.errors import BenchError

# No such host can exist, so nothing is ever pushed; the name marks images built here.
REGISTRY: Final = "bench.invalid"
GZIP: Final = b"\x1f\x8b"
# The level that Docker compresses with.
LEVEL: Final = 6


class BuildError(BenchError):
    """A build failed; the message ends with the last output of the builder."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the engine; layers are named by the hash of their content."""

    reference: str
    id: str
    layers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Push:
    """A push: the layers that a registry lacks, in compressed bytes."""

    layers: int
    bytes: int


class Registry:
    """Remembers pushed layers, as a real one does; it starts with the layers of `base`."""

    def __init__(self, base: Image) -> None:
        self._known = set(base.layers)

    def push(self, images: Sequence[Image]) -> Push:
        """Take images; return what was sent.

        It counts compressed layers, each once, without the manifest and configuration of an image,
        which are a few kB.
        """
        missing = {layer for image in images for layer in image.layers} - self._known
        self._known |= missing
        if not missing:
            return Push(0, 0)
        return Push(len(missing), _travelling([image.reference for image in images], missing))


def version() -> str:
    """Return the version of the engine; raises BenchError when none answers."""
    try:
        return run("docker", "version", "--format", "{{.Server.Version}}").strip()
    except (BuildError, FileNotFoundError) as error:
        raise BenchError("no Docker engine answers: start one (Docker 25 or newer)") from error


def look(references: Mapping[str, str]) -> dict[str, Image]:
    """Return images by the names of their references."""
    seen = json.loads(run("docker", "image", "inspect", *references.values()))
    return {
        name: Image(reference, it["Id"], it["RootFS"]["Layers"])
        for (name, reference), it in zip(references.items(), seen, strict=True)
    }


def forget() -> None:
    """Empty the build cache; images stay."""
    run("docker", "builder", "prune", "--all", "--force")


def remove() -> None:
    """Remove the images that were built for REGISTRY."""
    form = "{{.Repository}}:{{.Tag}}"
    listed = run("docker", "image", "ls", "--format", form, "--filter", f"reference={REGISTRY}/*/*")
    if listed:
        run("docker", "image", "rm", *listed.split())


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command; raises BuildError when it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BuildError(f"{' '.join(map(str, command))} failed:\n{said}")
    return done.stdout


def _travelling(references: Sequence[str], layers: set[str]) -> int:
    """Return the compressed size of layers, even if the engine keeps them uncompressed."""
    sizes = {}
    with (
        subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                name, size = _layer(file.read(), layers)
                sizes[name] = size
    return sum(sizes[layer] for layer in layers)


def _layer(content: bytes, layers: set[str]) -> tuple[str, int]:
    compressed = content.startswith(GZIP)
    plain = gzip.decompress(content) if compressed else content
    name = f"sha256:{hashlib.sha256(plain).hexdigest()}"
    if name not in layers:
        return name, 0
    return name, len(content if compressed else gzip.compress(plain, LEVEL))
