import signal

from mousetrap.api.app import Api
from mousetrap.api.server import Server, create_server
from mousetrap.settings.process import ApiSettings
from mousetrap.telemetry.health import Health


def test_is_not_ready_from_the_first_signal_on(unwired: Api) -> None:
    settings = ApiSettings(postgres_dsn="unread", redis_url="unread", sources_file="unread")
    health = Health({})
    server = Server(create_server(unwired, settings).config, health, unwired.end_streams)
    before = health.ready

    server.handle_exit(signal.SIGTERM, None)

    assert (before, health.ready, server.should_exit) == (True, False, True)
