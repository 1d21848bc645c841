from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import pytest

from chaos import times
from chaos.cells import Kind
from chaos.member import Member
from support import origin

SYSTEM: Any = None  # a process of ours is asked itself


async def test_a_clock_that_was_set_is_told_from_one_that_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(times, "WITHIN", 0.5)
    async with origin.running() as server:
        ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        server.answers(origin.answer(b"{}", Date=ahead), path="/health/live")
        member = Member("api-0", Kind.API, cast("Any", None), port=server.port)

        assert await times.tells(SYSTEM, member, 3600)
        assert not await times.tells(SYSTEM, member, 0)
