"""`helm_archive`: a Helm chart as `dist/NAME-VERSION.tgz`, the same bytes for the same commit.

Pants' own Helm backend would download Helm and a plugin. The archive names the revision that it was built from, so it
runs the images of that revision. IMAGES and IMAGE_DIGESTS in the environment add where the images are, and their
digests as JSON, which only a registry knows.
"""

from dataclasses import dataclass

from charts import archive
from images.register import Head
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import CreateDigest, Digest, DigestContents, FileContent
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    HydratedSources,
    HydrateSourcesRequest,
    MultipleSourcesField,
    Target,
)
from pants.engine.unions import UnionRule

IMAGES = "IMAGES"
DIGESTS = "IMAGE_DIGESTS"


class ChartSourcesField(MultipleSourcesField):
    default = ("**/*", "!BUILD", "!ci/*")
    help = "The files of the chart."


class HelmArchive(Target):
    alias = "helm_archive"
    core_fields = (*COMMON_TARGET_FIELDS, ChartSourcesField)
    help = "A Helm chart, packaged as NAME-VERSION.tgz."


@dataclass(frozen=True)
class HelmArchiveFieldSet(PackageFieldSet):
    required_fields = (ChartSourcesField,)

    sources: ChartSourcesField


@rule(desc="Package a Helm chart")
async def package_chart(field_set: HelmArchiveFieldSet, head: Head) -> BuiltPackage:
    sources, environment = await MultiGet(
        Get(HydratedSources, HydrateSourcesRequest(field_set.sources)),
        Get(EnvironmentVars, EnvironmentVarsRequest([IMAGES, DIGESTS])),
    )
    contents = await Get(DigestContents, Digest, sources.snapshot.digest)
    folder = f"{field_set.address.spec_path}/"
    files = {file.path[len(folder) :]: file.content for file in contents}
    files = archive.released(files, head.name, environment.get(IMAGES), environment.get(DIGESTS))
    filename = archive.name(files)
    content = archive.packed(filename.rpartition("-")[0], files)
    digest = await Get(Digest, CreateDigest([FileContent(filename, content)]))
    return BuiltPackage(digest, (BuiltPackageArtifact(filename),))


def rules():
    return [*collect_rules(), UnionRule(PackageFieldSet, HelmArchiveFieldSet)]


def target_types():
    return [HelmArchive]
