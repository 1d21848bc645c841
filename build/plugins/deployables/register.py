"""`deployable_pex`: a PEX that can leave out packages, which `pex_binary` of Pants 2.17 cannot.

`deployable_layer` is one half of it, for one layer of the image, so that an unchanged half is not unpacked
again. `deployable_sources` are `python_sources` that cannot be run one by one, so that `./pants run FOLDER`
runs the deployable.
"""

import re
from dataclasses import dataclass, replace

from deployables import sbom
from pants.backend.python.goals.run_helper import _create_python_source_run_request
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    EntryPoint,
    InterpreterConstraintsField,
    PexBinaryDependenciesField,
    PexEntryPointField,
    PythonResolveField,
    PythonRunGoalUseSandboxField,
    PythonSourcesGeneratorTarget,
    PythonSourceTarget,
)
from pants.backend.python.util_rules.pex import Pex
from pants.backend.python.util_rules.pex_environment import PexEnvironment
from pants.backend.python.util_rules.pex_from_targets import PexFromTargetsRequest
from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    CreateDigest,
    Digest,
    DigestContents,
    FileContent,
    GlobMatchErrorBehavior,
    MergeDigests,
    PathGlobs,
)
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import COMMON_TARGET_FIELDS, StringField, StringSequenceField, Target
from pants.engine.unions import UnionRule


class EntryModuleField(StringField):
    alias = "module"
    required = True
    help = "The module to run, as by `python -m`."


class ModuleField(EntryModuleField):
    """The module of a deployable, by which Pants finds what it can run."""


class LayerModuleField(EntryModuleField):
    """The module of a layer, which cannot be run."""


class ExcludesField(StringSequenceField):
    alias = "excludes"
    default = ()
    help = "Packages to leave out although a requirement asks for them, since nothing imports them."


class ImageField(StringField):
    alias = "image"
    help = "The name of its image, if it has one, for the bill of materials."


DOCKERFILE = "deploy/images/Dockerfile"
BASE = "PYTHON_IMAGE"


BOOT = "build/boot.sh"


@dataclass(frozen=True)
class BootRequest:
    """Asks for the same PEX file with a script before it that finds its Python."""

    pex: Pex


@rule(desc="Let a PEX file find its Python")
async def boot(request: BootRequest) -> Pex:
    script = PathGlobs([BOOT], GlobMatchErrorBehavior.error, description_of_origin="PEX files")
    built, read = await MultiGet(
        Get(DigestContents, Digest, request.pex.digest), Get(DigestContents, PathGlobs, script)
    )
    [content] = [file.content for file in built if file.path == request.pex.name]
    _, archive = content.split(b"\n", 1)  # without its own first line, which names a Python
    file = FileContent(request.pex.name, read[0].content + archive, is_executable=True)
    return replace(request.pex, digest=await Get(Digest, CreateDigest([file])))


@dataclass(frozen=True)
class SbomRequest:
    """Asks for the bill of materials of a PEX file."""

    pex: Pex
    image: ImageField
    resolve: PythonResolveField
    filename: str


@rule(desc="Write the bill of materials of a deployable")
async def write_sbom(request: SbomRequest, python: PythonSetup) -> Digest:
    lock = python.resolves[request.resolve.normalized_value(python)]
    inputs = PathGlobs([lock, DOCKERFILE], GlobMatchErrorBehavior.error, description_of_origin="the SBOM")
    pex, read, environment = await MultiGet(
        Get(DigestContents, Digest, request.pex.digest),
        Get(DigestContents, PathGlobs, inputs),
        Get(EnvironmentVars, EnvironmentVarsRequest([BASE])),
    )
    texts = {file.path: file.content.decode() for file in read}
    dockerfile = texts[DOCKERFILE]
    [base] = re.findall(rf"^ARG {BASE}=(\S+)$", dockerfile, re.MULTILINE)
    [version] = re.findall(r"image\.version=(\S+)", dockerfile)
    image = request.image.value
    [content] = [file.content for file in pex if file.path == request.pex.name]
    document = sbom.document(
        image or request.filename.partition(".")[0],
        version,
        content,
        texts[lock],
        environment.get(BASE, base) if image else None,
    )
    return await Get(Digest, CreateDigest([FileContent(request.filename, document)]))


PEX_FIELDS = (
    *COMMON_TARGET_FIELDS,
    ExcludesField,
    InterpreterConstraintsField,
    OutputPathField,
    PexBinaryDependenciesField,
    PythonResolveField,
)


class DeployablePex(Target):
    alias = "deployable_pex"
    core_fields = (*PEX_FIELDS, ImageField, ModuleField)
    help = (
        "An executable file with one process and everything that it needs except CPython, and beside"
        " it a bill of its materials, NAME.cdx.json."
    )


class LayerField(StringField):
    alias = "layer"
    required = True
    valid_choices = ("dependencies", "sources")
    help = "Which half of the deployable it holds."


class DeployableLayer(Target):
    alias = "deployable_layer"
    core_fields = (*PEX_FIELDS, LayerField, LayerModuleField)
    help = "A PEX of the dependencies of a deployable or of its sources, for one layer of its image."


def _but_run(fields):
    return tuple(field for field in fields if field is not PythonRunGoalUseSandboxField)


class DeployableSourceTarget(PythonSourceTarget):
    alias = "deployable_source"
    core_fields = _but_run(PythonSourceTarget.core_fields)
    help = "A module of a deployable."


class DeployableSourcesTarget(PythonSourcesGeneratorTarget):
    alias = "deployable_sources"
    core_fields = _but_run(PythonSourcesGeneratorTarget.core_fields)
    generated_target_cls = DeployableSourceTarget
    moved_fields = _but_run(PythonSourcesGeneratorTarget.moved_fields)
    help = "The modules of a deployable."


@dataclass(frozen=True)
class DeployableRunFieldSet(RunFieldSet):
    required_fields = (ModuleField, ExcludesField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    module: ModuleField


@rule
async def run_deployable(field_set: DeployableRunFieldSet, pex_env: PexEnvironment) -> RunRequest:
    return await _create_python_source_run_request(
        field_set.address,
        entry_point_field=PexEntryPointField(field_set.module.value, field_set.address),
        pex_env=pex_env,
        run_in_sandbox=False,
    )


@dataclass(frozen=True)
class DeployablePexFieldSet(PackageFieldSet):
    required_fields = (ModuleField, ExcludesField)

    excludes: ExcludesField
    image: ImageField
    module: ModuleField
    output_path: OutputPathField
    resolve: PythonResolveField


def _filename(field_set):
    return field_set.output_path.value_or_default(file_ending="pex")


async def _package(field_set, **what):
    return await Get(
        Pex,
        PexFromTargetsRequest(
            addresses=[field_set.address],
            internal_only=False,
            output_filename=_filename(field_set),
            additional_args=(
                "--no-emit-warnings",
                "--venv=prepend",
                "--include-tools",
                *(f"--exclude={package}" for package in field_set.excludes.value),
            ),
            **what,
        ),
    )


@rule(desc="Build the PEX of a deployable")
async def package_deployable(field_set: DeployablePexFieldSet) -> BuiltPackage:
    built = await _package(field_set, main=EntryPoint(field_set.module.value))
    pex = await Get(Pex, BootRequest(built))
    filename = _filename(field_set)
    materials = re.sub(r"\.pex$", ".cdx.json", filename)
    request = SbomRequest(pex, field_set.image, field_set.resolve, materials)
    digest = await Get(Digest, SbomRequest, request)
    both = await Get(Digest, MergeDigests([pex.digest, digest]))
    return BuiltPackage(both, (BuiltPackageArtifact(filename), BuiltPackageArtifact(materials)))


@dataclass(frozen=True)
class DeployableLayerFieldSet(PackageFieldSet):
    required_fields = (LayerField, LayerModuleField)

    excludes: ExcludesField
    layer: LayerField
    module: LayerModuleField
    output_path: OutputPathField


@rule(desc="Build the PEX of a layer")
async def package_layer(field_set: DeployableLayerFieldSet) -> BuiltPackage:
    if field_set.layer.value == "dependencies":
        pex = await _package(field_set, main=None, include_source_files=False)
    else:
        main = EntryPoint(field_set.module.value)
        pex = await _package(field_set, main=main, include_requirements=False)
    return BuiltPackage(pex.digest, (BuiltPackageArtifact(_filename(field_set)),))


def rules():
    return [
        *collect_rules(),
        *DeployableRunFieldSet.rules(),
        UnionRule(PackageFieldSet, DeployableLayerFieldSet),
        UnionRule(PackageFieldSet, DeployablePexFieldSet),
    ]


def target_types():
    return [DeployableLayer, DeployablePex, DeployableSourcesTarget, DeployableSourceTarget]
