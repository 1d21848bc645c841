"""The archive of a Helm chart: its files and its bytes. Pants runs this on CPython 3.9."""

import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Final, Optional

EPOCH: Final = 1_700_000_000
"""The time of every file, as that of the images: equal content has equal bytes."""


class ChartError(Exception):
    """The chart cannot be packaged; the message says what to do."""


def name(files: Mapping[str, bytes]) -> str:
    """Return the name of the archive, as Helm names it."""
    chart = files["Chart.yaml"].decode()
    parts = (re.findall(rf"^{key}: (\S+)$", chart, re.MULTILINE) for key in ("name", "version"))
    return "-".join(part for (part,) in parts) + ".tgz"


def released(
    files: Mapping[str, bytes],
    revision: Optional[str],
    repository: Optional[str],
    digests: Optional[str],
) -> dict[str, bytes]:
    """Return the files of a chart that runs the images of a revision.

    `repository` is where the images are; `digests` is a JSON object of their digests by their
    names. Raises ChartError for a digest that is none.
    """
    changed = dict(files)
    if revision is not None:
        changed["Chart.yaml"] += f"appVersion: {json.dumps(revision)}\n".encode()
    values = files["values.yaml"].decode()
    if repository is not None:
        values = _given(values, "repository", json.dumps(repository))
    if digests is not None:
        values = _given(values, "digests", _checked(digests))
    changed["values.yaml"] = values.encode()
    return changed


def _checked(digests: str) -> str:
    try:
        found = json.loads(digests)
    except ValueError as error:
        raise ChartError(f"IMAGE_DIGESTS is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ChartError("IMAGE_DIGESTS is no JSON object: map names of images to digests")
    for image, digest in found.items():
        if not re.fullmatch("sha256:[0-9a-f]{64}", str(digest)):
            raise ChartError(f'IMAGE_DIGESTS: {image} needs "sha256:" and 64 hexadecimal digits')
    return json.dumps(found, sort_keys=True)


def _given(values: str, key: str, value: str) -> str:
    """Return the text of the values with another value of a key of `image`."""
    changed, count = re.subn(
        rf"^  {key}: .*$", lambda _: f"  {key}: {value}", values, flags=re.MULTILINE
    )
    if count != 1:
        raise ChartError(f"values.yaml has {count} lines of {key}: keep the one of image")
    return changed


def packed(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return the archive of a folder."""
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", mtime=EPOCH, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tarred,
    ):
        for path in sorted(files):
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size, member.mtime = len(files[path]), EPOCH
            tarred.addfile(member, io.BytesIO(files[path]))
    return archive.getvalue()
