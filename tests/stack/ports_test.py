import random
import socket

import pytest

from mousetrap.stack import ports
from mousetrap.stack.errors import PortError


def test_ports_are_chosen_of_those_that_no_connection_is_given() -> None:
    chosen = ports.free(50)
    assert len(set(chosen)) == 50
    assert max(chosen) < 32_768


def test_a_port_that_is_taken_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    [taken, other] = ports.free(2)
    monkeypatch.setattr(random, "sample", lambda *_: [taken, other])
    with socket.create_server((ports.HOST, taken)):
        assert ports.free(1) == [other]
        with pytest.raises(PortError, match="2 ports"):
            ports.free(2)
    assert ports.free(2) == [taken, other]


def test_the_next_port_is_taken_unless_another_has_it() -> None:
    [port] = ports.free(1)
    with socket.create_server((ports.HOST, port)):
        assert ports.near(port - 1) != port
    assert ports.near(port - 1) == port
    assert ports.near(ports.ALL[-1]) in ports.CHOICE
