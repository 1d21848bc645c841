"""Makes `./pants lint` enforce `__dependencies_rules__`, which Pants 2.17 checks only in goals that
resolve dependencies."""

from dataclasses import dataclass
from typing import Any

from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.engine.addresses import Addresses
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import Dependencies, DependenciesRequest, FieldSet
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem


class Imports(Subsystem):
    options_scope = "imports"
    name = "imports"
    help = "The import rules of `library()`, `deployable()` and `program()` in BUILD files."
    skip = SkipOption("lint")


@dataclass(frozen=True)
class ImportsFieldSet(FieldSet):
    required_fields = (Dependencies,)
    dependencies: Dependencies


class ImportsRequest(LintTargetsRequest):
    field_set_type = ImportsFieldSet
    tool_subsystem = Imports
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


@rule(desc="Check who imports whom")
async def check_imports(request: ImportsRequest.Batch[ImportsFieldSet, Any]) -> LintResult:
    # Resolving the dependencies raises DependencyRuleActionDeniedError, which names both sides.
    await MultiGet(
        Get(Addresses, DependenciesRequest(field_set.dependencies))
        for field_set in request.elements
    )
    return LintResult(0, "", "", Imports.name)


def rules():
    return [*collect_rules(), *ImportsRequest.rules()]
