import dataclasses
import resource
import signal
from collections.abc import Iterator

import pytest

from mousetrap.api.app import Api
from mousetrap.api.server import FILES, Server, allow_files, create_server
from mousetrap.settings.process import ApiSettings
from mousetrap.telemetry.health import Health


def test_is_not_ready_from_the_first_signal_on(unwired: Api) -> None:
    settings = ApiSettings(postgres_dsn="unread", redis_url="unread", sources_file="unread")
    health = Health({})
    api = dataclasses.replace(unwired, health=health)
    server = Server(create_server(api, settings).config, api)
    before = health.ready

    server.handle_exit(signal.SIGTERM, None)

    assert (before, health.ready, server.should_exit) == (True, False, True)


@pytest.fixture
def hard() -> Iterator[int]:
    """The number that this process may raise its limit of open files to."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_asks_for_as_many_files_as_it_needs_and_never_for_less(hard: int) -> None:
    for soft, expected in ((512, min(FILES, hard)), (hard, hard)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert allow_files() == expected
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (expected, hard)
