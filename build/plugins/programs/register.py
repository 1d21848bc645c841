"""`program_resource`: a PEX of another resolve, as a file beside the modules of the program that starts it.

A Pants target and all its dependencies have one resolve. A program that runs as a process of its own need not
share it.
"""

from pants.backend.python.util_rules.pex import Pex
from pants.backend.python.util_rules.pex_from_targets import PexFromTargetsRequest
from pants.core.target_types import ResourceSourceField
from pants.engine.addresses import Addresses, UnparsedAddressInputs
from pants.engine.fs import AddPrefix, Snapshot
from pants.engine.rules import Get, collect_rules, rule
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    GeneratedSources,
    GenerateSourcesRequest,
    MultipleSourcesField,
    SpecialCasedDependencies,
    Target,
)
from pants.engine.unions import UnionRule


class NoSourcesField(MultipleSourcesField):
    alias = "_sources"
    expected_num_files = 0


class ModulesField(SpecialCasedDependencies):
    alias = "modules"
    required = True
    help = "The modules of the PEX, all of one resolve; their imports come with them."


class ProgramResource(Target):
    alias = "program_resource"
    core_fields = (*COMMON_TARGET_FIELDS, ModulesField, NoSourcesField)
    help = "A PEX without an entry point, NAME.pex, to be run as `python NAME.pex -m MODULE`."


class GenerateProgramRequest(GenerateSourcesRequest):
    input = NoSourcesField
    output = ResourceSourceField


@rule(desc="Build the PEX of a program")
async def generate_program(request: GenerateProgramRequest) -> GeneratedSources:
    target = request.protocol_target
    modules = await Get(
        Addresses, UnparsedAddressInputs, target[ModulesField].to_unparsed_address_inputs()
    )
    pex = await Get(
        Pex,
        PexFromTargetsRequest(
            addresses=modules,
            internal_only=False,
            output_filename=f"{target.address.target_name}.pex",
            additional_args=("--no-emit-warnings", "--venv=prepend"),
        ),
    )
    return GeneratedSources(
        await Get(Snapshot, AddPrefix(pex.digest, target.address.spec_path))
    )


def rules():
    return [*collect_rules(), UnionRule(GenerateSourcesRequest, GenerateProgramRequest)]


def target_types():
    return [ProgramResource]
