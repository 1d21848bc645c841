"""The application without its database."""

import httpx2

from mousetrap.admin.app import create_app
from mousetrap.settings.process import AdminSettings

REASON = "ConnectionRefusedError: 10.0.0.7:5432"


async def test_readiness_tells_no_reasons() -> None:
    settings = AdminSettings(
        postgres_dsn="postgresql://nobody@127.0.0.1:1/none",
        admin_password="correct horse",  # noqa: S106 - of nothing
    )
    admin = create_app(settings)
    admin.health.show("postgres", REASON)
    transport = httpx2.ASGITransport(admin.asgi)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/health/ready")

    assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE
    assert answer.json() == {"status": "unready", "checks": {"postgres": "unavailable"}}
