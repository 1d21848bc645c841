"""deploy/edge/nginx.conf: the numbers that it shares with other files. tests/containers runs it."""

import re

from deploy.files import seconds, services, text
from mousetrap.api.http.limits import BODY_DEADLINE, BODY_LIMIT
from mousetrap.api.live.broadcast import HEARTBEAT

CONFIGURATION = text("edge/nginx.conf")
STRICT = 'add_header Strict-Transport-Security "max-age=63072000" always;'


def values(directive: str) -> list[str]:
    """Return the values of a directive, wherever it stands."""
    return re.findall(rf"^ +{directive} ([^;]+);", CONFIGURATION, re.MULTILINE)


def test_takes_the_bodies_that_the_api_takes() -> None:
    assert values("client_max_body_size")[0] == f"{BODY_LIMIT // 1024}k"
    assert values("client_body_buffer_size") == [f"{BODY_LIMIT // 1024}k"]  # no file holds one


def test_slow_body_ends_when_the_api_says_so() -> None:
    assert values("proxy_request_buffering") == ["off"]
    assert seconds(values("client_body_timeout")[0]) <= BODY_DEADLINE


def test_stream_that_is_alive_is_not_cut_off() -> None:
    [of_the_api] = values("proxy_read_timeout")

    assert seconds(of_the_api) >= 3 * HEARTBEAT


def test_streams_end_before_the_container_is_killed() -> None:
    [allowed] = re.findall(r"^worker_shutdown_timeout (\d+s);", CONFIGURATION, re.MULTILINE)

    assert seconds(services("production.yaml")["edge"]["stop_grace_period"]) > seconds(allowed)


def test_opens_no_more_files_than_it_may() -> None:
    [connections] = values("worker_connections")
    [files] = re.findall(r"^worker_rlimit_nofile (\d+);", CONFIGURATION, re.MULTILINE)

    assert int(connections) < int(files)
    for file in ("production.yaml", "swarm.yaml"):
        assert int(files) <= services(file)["edge"]["ulimits"]["nofile"]


def test_answers_that_wait_for_slow_clients_fit_into_memory() -> None:
    [[count, size]] = [value.split() for value in values("proxy_buffers")]
    [at_once] = [value for value in values("limit_conn") if value.startswith("requests ")]

    held = int(at_once.split()[1]) * int(count) * int(size.removesuffix("k"))

    assert (
        held <= int(services("production.yaml")["edge"]["mem_limit"].removesuffix("m")) * 1024 / 2
    )
    assert values("proxy_max_temp_file_size") == ["0"]


def test_every_answer_tells_browsers_to_stay_with_tls() -> None:
    # A block with headers of its own has none of those outside of it.
    blocks_with_headers = len(re.findall(r"\n( +)add_header", CONFIGURATION))

    assert CONFIGURATION.count(STRICT) == 2
    assert blocks_with_headers == 2 + 3


def test_forwarded_headers_are_those_of_the_edge() -> None:
    replaced = dict(value.split(" ", 1) for value in values("proxy_set_header"))

    assert replaced["X-Forwarded-For"] == "$remote_addr"
    assert replaced["X-Forwarded-Proto"] == "https"
    for name in ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Real-IP"):
        assert replaced[name] == '""'


def test_streams_are_told_from_other_requests_below_a_path_too() -> None:
    [pattern] = re.findall(r"location ~ (\S+) \{", CONFIGURATION)

    for path in ("/events", "/events/", "/geo/events"):
        assert re.search(pattern, path)
    assert not re.search(pattern, "/geo/eventsx")
