"""`deployable_pex`: a PEX that can leave out packages, which `pex_binary` of Pants 2.17 cannot."""

from dataclasses import dataclass

from pants.backend.python.target_types import (
    EntryPoint,
    InterpreterConstraintsField,
    PexBinaryDependenciesField,
    PythonResolveField,
)
from pants.backend.python.util_rules.pex import Pex
from pants.backend.python.util_rules.pex_from_targets import PexFromTargetsRequest
from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.engine.rules import Get, collect_rules, rule
from pants.engine.target import COMMON_TARGET_FIELDS, StringField, StringSequenceField, Target
from pants.engine.unions import UnionRule


class ModuleField(StringField):
    alias = "module"
    required = True
    help = "The module that is run, as by `python -m`."


class ExcludesField(StringSequenceField):
    alias = "excludes"
    default = ()
    help = "Packages to leave out although a requirement asks for them, since nothing imports them."


class DeployablePex(Target):
    alias = "deployable_pex"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ExcludesField,
        InterpreterConstraintsField,
        ModuleField,
        OutputPathField,
        PexBinaryDependenciesField,
        PythonResolveField,
    )
    help = "An executable file with a process of ours and all that it needs but CPython."


@dataclass(frozen=True)
class DeployablePexFieldSet(PackageFieldSet):
    required_fields = (ModuleField, ExcludesField)

    excludes: ExcludesField
    module: ModuleField
    output_path: OutputPathField


@rule(desc="Build the PEX of a deployable")
async def package_deployable(field_set: DeployablePexFieldSet) -> BuiltPackage:
    filename = field_set.output_path.value_or_default(file_ending="pex")
    pex = await Get(
        Pex,
        PexFromTargetsRequest(
            addresses=[field_set.address],
            internal_only=False,
            main=EntryPoint(field_set.module.value),
            output_filename=filename,
            additional_args=(
                "--no-emit-warnings",
                "--venv=prepend",
                "--include-tools",
                *(f"--exclude={package}" for package in field_set.excludes.value),
            ),
        ),
    )
    return BuiltPackage(pex.digest, (BuiltPackageArtifact(filename),))


def rules():
    return [*collect_rules(), UnionRule(PackageFieldSet, DeployablePexFieldSet)]


def target_types():
    return [DeployablePex]
