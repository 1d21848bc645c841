"""The Docker backend of Pants, with git revisions for images and a clear message without an engine.

It replaces two rules of the backend. The build argument REVISION of an image is the newest commit that
changed one of its files, so that other commits leave the image the same, byte for byte. And it checks
for an engine before it builds anything.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Optional, Tuple

from pants.backend.docker.goals import package_image, publish, run_image
from pants.backend.docker.subsystems import dockerfile_parser
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.docker.target_types import (
    DockerImageTags,
    DockerImageTagsRequest,
    DockerImageTarget,
)
from pants.backend.docker.target_types import rules as target_types_rules
from pants.backend.docker.util_rules import (
    dependencies,
    docker_build_args,
    docker_build_context,
    dockerfile,
)
from pants.backend.docker.util_rules.docker_binary import DockerBinary
from pants.backend.docker.util_rules.docker_build_args import (
    DockerBuildArgs,
    DockerBuildArgsRequest,
)
from pants.backend.docker.util_rules.docker_build_env import (
    DockerBuildEnvironment,
    DockerBuildEnvironmentRequest,
)
from pants.backend.docker.utils import KeyValueSequenceUtil
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementResolveField
from pants.base.build_environment import get_buildroot
from pants.core.util_rules.system_binaries import (
    BinaryPathRequest,
    BinaryPaths,
    MaybeGitBinary,
)
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import (
    SourcesField,
    SourcesPaths,
    SourcesPathsRequest,
    TransitiveTargets,
    TransitiveTargetsRequest,
)
from pants.engine.unions import UnionRule

HOW_THEY_ARE_MADE = ("3rdparty/pex.lock", "build/macros.py", "build/plugins")
UNKNOWN = "unknown"
DIRTY = "-dirty"
ADVICE = "start one, or build the PEX files alone, which needs no Docker: ./pants package-pex ::"


class NoDockerError(Exception):
    """Images cannot be built; the message says what to do."""


@dataclass(frozen=True)
class GitRequest:
    """A git command, which runs again in each run of Pants."""

    arguments: Tuple[str, ...]


@dataclass(frozen=True)
class GitAnswer:
    """The output of a git command, None without a repository."""

    text: Optional[str]


@dataclass(frozen=True)
class RevisionRequest:
    """Asks for the newest commit that changed a file of a target."""

    address: Address


@dataclass(frozen=True)
class Revision:
    """A commit, with the suffix `-dirty` if there are uncommitted changes."""

    name: str


@dataclass(frozen=True)
class Head:
    """The checked-out commit, shortened, with the suffix `-dirty` if there are uncommitted changes.

    None without a repository.
    """

    name: Optional[str]


class HeadTagRequest(DockerImageTagsRequest):
    """Asks for the tag that names the checked-out commit."""


@rule(desc="Find a Docker engine")
async def find_docker(
    options: DockerOptions, environment: DockerOptions.EnvironmentAware
) -> DockerBinary:
    paths, variables = await MultiGet(
        Get(
            BinaryPaths,
            BinaryPathRequest(
                binary_name="docker", search_path=environment.executable_search_path
            ),
        ),
        Get(EnvironmentVars, EnvironmentVarsRequest(environment.env_vars)),
    )
    if paths.first_path is None:
        raise NoDockerError(f"images need a Docker engine, and there is no `docker` here: {ADVICE}")
    docker = paths.first_path
    asked = await Get(
        FallibleProcessResult,
        Process(
            (docker.path, "version", "--format", "{{.Server.Version}}"),
            description="Ask for the Docker engine",
            env=variables,
            cache_scope=ProcessCacheScope.PER_SESSION,
            timeout_seconds=20,
        ),
    )
    if asked.exit_code:
        said = asked.stderr.decode().strip()
        raise NoDockerError(f"images need a Docker engine, and none answers: {ADVICE}\n\n{said}")
    return DockerBinary(docker.path, docker.fingerprint)


@rule
async def ask_git(request: GitRequest, git: MaybeGitBinary) -> GitAnswer:
    if git.git_binary is None:
        return GitAnswer(None)
    # The user's configuration (safe.directory) says whether git trusts the repository.
    variables = await Get(EnvironmentVars, EnvironmentVarsRequest(["HOME", "PATH"]))
    answer = await Get(
        FallibleProcessResult,
        Process(
            # Pants may cancel it at any moment, which would leave a lock behind.
            (git.git_binary.path, "--no-optional-locks", "-C", get_buildroot(), *request.arguments),
            description="Ask git",
            env=variables,
            cache_scope=ProcessCacheScope.PER_SESSION,
        ),
    )
    return GitAnswer(None if answer.exit_code else answer.stdout.decode().strip())


@rule(desc="Find the newest commit that concerns an image")
async def find_revision(request: RevisionRequest, python: PythonSetup) -> Revision:
    transitive = await Get(TransitiveTargets, TransitiveTargetsRequest([request.address]))
    targets = transitive.closure
    sources = await MultiGet(
        Get(SourcesPaths, SourcesPathsRequest(target[SourcesField]))
        for target in targets
        if target.has_field(SourcesField)
    )
    files = {
        *HOW_THEY_ARE_MADE,
        *(file for paths in sources for file in paths.files),
        *(str(PurePath(target.address.spec_path, "BUILD")) for target in targets),
        *(
            python.resolves[target[PythonRequirementResolveField].normalized_value(python)]
            for target in targets
            if target.has_field(PythonRequirementResolveField)
        ),
    }
    concerned = ("--", *sorted(files))
    commit, changes = await MultiGet(
        Get(GitAnswer, GitRequest(("log", "-1", "--format=%H", *concerned))),
        Get(GitAnswer, GitRequest(("status", "--porcelain", *concerned))),
    )
    if not commit.text:
        return Revision(UNKNOWN)
    return Revision(commit.text + (DIRTY if changes.text else ""))


@rule
async def build_environment(
    request: DockerBuildEnvironmentRequest,
    options: DockerOptions,
    environment: DockerOptions.EnvironmentAware,
) -> DockerBuildEnvironment:
    build_args = await Get(DockerBuildArgs, DockerBuildArgsRequest(request.target))
    inherited = KeyValueSequenceUtil.from_strings(
        *{argument for argument in build_args if "=" not in argument},
        *environment.env_vars,
    )
    variables, revision = await MultiGet(
        Get(EnvironmentVars, EnvironmentVarsRequest(tuple(inherited))),
        Get(Revision, RevisionRequest(request.target.address)),
    )
    return DockerBuildEnvironment.create({**variables, "REVISION": revision.name})


@rule
async def find_head() -> Head:
    head, changes = await MultiGet(
        Get(GitAnswer, GitRequest(("rev-parse", "--short=12", "HEAD"))),
        Get(GitAnswer, GitRequest(("status", "--porcelain"))),
    )
    return Head(head.text + (DIRTY if changes.text else "") if head.text else None)


@rule
async def tag_head(_: HeadTagRequest, head: Head) -> DockerImageTags:
    return DockerImageTags([head.name] if head.name else [])


def rules():
    return [
        *collect_rules(),
        *dependencies.rules(),
        *docker_build_args.rules(),
        *docker_build_context.rules(),
        *dockerfile.rules(),
        *dockerfile_parser.rules(),
        *package_image.rules(),
        *publish.rules(),
        *run_image.rules(),
        *target_types_rules(),
        UnionRule(DockerImageTagsRequest, HeadTagRequest),
    ]


def target_types():
    return [DockerImageTarget]
