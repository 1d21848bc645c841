"""Linters for Dockerfiles, shell scripts and GitHub's files in `./pants lint`, from our own lock: Pants
2.17 downloads hadolint and shellcheck, and has no linter for the rest."""

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
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    FieldSet,
    MultipleSourcesField,
    StringField,
    Target,
)
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem

RESOLVE = "linters"
WORKFLOWS = "vendor.github-workflows"


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


class Zizmor(Subsystem):
    options_scope = "zizmor"
    name = "zizmor"
    help = "A linter for GitHub workflows: pins, permissions, injected templates."
    skip = SkipOption("lint")


class CheckJsonschema(Subsystem):
    options_scope = "check-jsonschema"
    name = "check-jsonschema"
    help = "A check of the files in .github against the schemas of their readers."
    skip = SkipOption("lint")


class GithubSourcesField(MultipleSourcesField):
    uses_source_roots = False


class SchemaField(StringField):
    alias = "schema"
    required = True
    value: str
    help = "The schema of the files, one of the schemas that check-jsonschema has built in."


class GithubFilesTarget(Target):
    alias = "github_files"
    core_fields = (*COMMON_TARGET_FIELDS, GithubSourcesField, SchemaField)
    help = "Files that GitHub or its bots read, all with the same schema."


@dataclass(frozen=True)
class SchemaFieldSet(FieldSet):
    required_fields = (GithubSourcesField, SchemaField)
    source: GithubSourcesField
    schema: SchemaField


@dataclass(frozen=True)
class WorkflowsFieldSet(SchemaFieldSet):
    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return tgt[SchemaField].value != WORKFLOWS


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


class ZizmorRequest(LintTargetsRequest):
    field_set_type = WorkflowsFieldSet
    tool_subsystem = Zizmor
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


class CheckJsonschemaRequest(LintTargetsRequest):
    field_set_type = SchemaFieldSet
    tool_subsystem = CheckJsonschema
    partitioner_type = PartitionerType.DEFAULT_ONE_PARTITION_PER_INPUT


async def _lint(
    request: Any, tool: Subsystem, python: PythonSetup, *options: str
) -> LintResult:
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
            argv=(*options, *sources.snapshot.files),
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


@rule(desc="Lint with zizmor")
async def run_zizmor(
    request: ZizmorRequest.Batch[WorkflowsFieldSet, Any], tool: Zizmor, python: PythonSetup
) -> LintResult:
    options = ("--offline", "--no-progress", "--quiet", "--strict-collection")
    return await _lint(request, tool, python, *options)


@rule(desc="Check against a schema")
async def run_check_jsonschema(
    request: CheckJsonschemaRequest.Batch[SchemaFieldSet, Any],
    tool: CheckJsonschema,
    python: PythonSetup,
) -> LintResult:
    (element,) = request.elements
    return await _lint(request, tool, python, "--builtin-schema", element.schema.value)


def rules():
    return [
        *collect_rules(),
        *CheckJsonschemaRequest.rules(),
        *HadolintRequest.rules(),
        *ShellcheckRequest.rules(),
        *ZizmorRequest.rules(),
        *pex.rules(),
    ]


def target_types():
    return [GithubFilesTarget, ShellSourceTarget, ShellSourcesGeneratorTarget]
