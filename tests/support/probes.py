"""The readiness and the metrics of an API that runs."""

import asyncio

import httpx2
from prometheus_client.parser import text_string_to_metric_families


async def settled(client: httpx2.AsyncClient) -> httpx2.Response:
    """Ask for readiness until every dependency was looked at."""
    async with asyncio.timeout(10):
        while True:
            answer = await client.get("/health/ready")
            if "not checked yet" not in answer.json()["checks"].values():
                return answer
            await asyncio.sleep(0.01)


async def scraped(client: httpx2.AsyncClient, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by those of its labels."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }
