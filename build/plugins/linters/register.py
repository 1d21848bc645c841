"""hadolint and shellcheck in `./pants lint`, from a lock of ours: those of Pants 2.17 are downloaded."""

from dataclasses import dataclass
from typing import Any

from pants.backend.docker.target_types import DockerImageSourceField
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import ConsoleScript
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.backend.shell.target_types import (
    ShellSourceField,
    ShellSourcesGeneratorTarget,
    ShellSourceTarget,
)
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import FieldSet
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem

RESOLVE = "linters"


class Hadolint(Subsystem):
    options_scope = "hadolint"
    name = "hadolint"
    help = "A linter for Dockerfiles."
    skip = SkipOption("lint")


class Shellcheck(Subsystem):
    options_scope = "shellcheck"
    name = "shellcheck"
    help = "A linter for shell scripts."
    skip = SkipOption("lint")


@dataclass(frozen=True)
class DockerfileFieldSet(FieldSet):
    required_fields = (DockerImageSourceField,)
    source: DockerImageSourceField


@dataclass(frozen=True)
class ScriptFieldSet(FieldSet):
    required_fields = (ShellSourceField,)
    source: ShellSourceField


class HadolintRequest(LintTargetsRequest):
    field_set_type = DockerfileFieldSet
    tool_subsystem = Hadolint
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


class ShellcheckRequest(LintTargetsRequest):
    field_set_type = ScriptFieldSet
    tool_subsystem = Shellcheck
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


async def _lint(request: Any, tool: Subsystem, python: PythonSetup) -> LintResult:
    program_request = PexRequest(
        output_filename=f"{tool.name}.pex",
        internal_only=True,
        requirements=PexRequirements(from_superset=Resolve(RESOLVE, use_entire_lockfile=True)),
        interpreter_constraints=InterpreterConstraints(python.interpreter_constraints),
        main=ConsoleScript(tool.name),
    )
    program, sources = await MultiGet(
        Get(VenvPex, PexRequest, program_request),
        Get(SourceFiles, SourceFilesRequest(element.source for element in request.elements)),
    )
    result = await Get(
        FallibleProcessResult,
        VenvPexProcess(
            program,
            argv=sources.snapshot.files,
            input_digest=sources.snapshot.digest,
            description=f"Run {tool.name}",
        ),
    )
    return LintResult.create(request, result)


@rule(desc="Lint with hadolint")
async def run_hadolint(
    request: HadolintRequest.Batch[DockerfileFieldSet, Any], tool: Hadolint, python: PythonSetup
) -> LintResult:
    return await _lint(request, tool, python)


@rule(desc="Lint with shellcheck")
async def run_shellcheck(
    request: ShellcheckRequest.Batch[ScriptFieldSet, Any], tool: Shellcheck, python: PythonSetup
) -> LintResult:
    return await _lint(request, tool, python)


def rules():
    return [
        *collect_rules(),
        *HadolintRequest.rules(),
        *ShellcheckRequest.rules(),
        *pex.rules(),
    ]


def target_types():
    return [ShellSourceTarget, ShellSourcesGeneratorTarget]
