"""Wires the admin page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from piccolo_admin.endpoints import TableConfig, create_admin
from piccolo_api.crud.endpoints import OrderBy
from piccolo_api.rate_limiting.middleware import InMemoryLimitProvider
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from mousetrap.admin import accounts
from mousetrap.admin.protection import LOGIN, Protection
from mousetrap.runtime.supervision import Supervisor
from mousetrap.settings.process import AdminSettings
from mousetrap.store.database import Database
from mousetrap.store.schema.tables import JobRow, SummaryRow
from mousetrap.telemetry.health import Health

PATH: Final = "/admin/"
LOGINS: Final = 20
"""The requests for a login of one peer within LOGIN_PERIOD seconds; a login is two of them."""
LOGIN_PERIOD: Final = 300
TABLES: Final = (JobRow, SummaryRow)


@dataclass(frozen=True, slots=True)
class Admin:
    """The application and the objects that its server needs.

    Once `supervisor` has failed, the process must end with exit code 1.
    """

    asgi: Starlette
    health: Health
    supervisor: Supervisor


def create_app(settings: AdminSettings) -> Admin:
    """Wire the page; it opens no connection before its lifespan begins."""
    database = Database(settings.postgres_dsn, pool_size=settings.pool_size, name="mousetrap admin")
    health = Health({"postgres": database.ping})
    supervisor = Supervisor(health)
    for table in TABLES:
        table._meta.db = database.engine  # noqa: SLF001 - the page lets Piccolo run its queries

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with (
            database,
            accounts.opened(settings.admin_user, settings.admin_password),
            supervisor.running(),
        ):
            yield

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        # Everybody may ask, and the log has the reasons.
        return JSONResponse(
            {"status": "ready" if health.ready else "unready", "checks": health.states()},
            status_code=200 if health.ready else 503,
        )

    async def to_page(_: Request) -> Response:
        return RedirectResponse(PATH)

    page = create_admin(
        [TableConfig(it, order_by=[OrderBy(it.sequence, ascending=False)]) for it in TABLES],
        auth_table=accounts.User,
        session_table=accounts.Session,
        read_only=True,
        # By https, a login has to come from a page of one of these hosts.
        allowed_hosts=[*filter(None, settings.allowed_hosts.split(","))],
        # By default a peer that was refused once is refused until the process ends.
        rate_limit_provider=InMemoryLimitProvider(
            LOGIN_PERIOD, limit=LOGINS, block_duration=LOGIN_PERIOD
        ),
        auto_include_related=False,
        site_name="Mousetrap",
    )
    asgi = Starlette(
        routes=[
            Route("/", to_page),
            # Without a trailing slash the page does not find its own files.
            Route(PATH.rstrip("/"), to_page),
            Mount(PATH, page),
            Route("/health/live", live),
            Route("/health/ready", ready),
        ],
        middleware=[Middleware(Protection, login=f"{PATH}{LOGIN}")],
        lifespan=lifespan,
    )
    return Admin(asgi, health, supervisor)
