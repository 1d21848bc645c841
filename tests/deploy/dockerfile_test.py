"""Rules that hold of deploy/images/Dockerfile whatever it builds."""

import re

from deploy.files import text
from mousetrap.api.routes import docs

DOCKERFILE = text("images/Dockerfile")
FINAL = DOCKERFILE.rpartition("\nFROM ")[2]


def test_base_is_pinned_and_can_be_replaced_as_a_whole() -> None:
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {
        "${PYTHON_IMAGE}",
        "unpacker",
    }


def test_final_stage_only_copies() -> None:
    assert not re.search("^(RUN|ADD|WORKDIR|VOLUME)", FINAL, re.MULTILINE)
    assert FINAL.count("COPY --from=dependencies /app /app\nCOPY --from=sources /app /app\n") == 1


def test_nothing_is_fetched_while_an_image_is_built() -> None:
    runs = re.findall(r"^RUN (\S+)", DOCKERFILE, re.MULTILINE)

    assert set(runs) == {"--network=none"}
    assert "http" not in DOCKERFILE.replace("https://mousetrap.example/", "")


def test_runs_as_nobody_without_a_shell() -> None:
    assert re.search(r"^USER 65532:65532$", FINAL, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["', FINAL, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*\\\n +CMD \["', FINAL, re.MULTILINE)


def test_version_is_that_of_the_api() -> None:
    assert f"org.opencontainers.image.version={docs.config().version} " in FINAL
