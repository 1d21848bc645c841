from chaos.load import Load
from support import origin


async def test_a_caller_asks_for_the_source_in_the_path() -> None:
    async with origin.running() as server:
        server.answers(origin.answer(b"{}"), path="/?source=feed")
        load = Load([server.port], seed=1, per_second=1)
        answer = await load.get("/?source=feed")
        await load.close()

    assert answer is not None
    assert answer.status_code == 200
