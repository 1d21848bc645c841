"""`GET /events`: every change of a job as a Server-Sent Event (WHATWG HTML 9.2)."""

from typing import Annotated, Any, cast

from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from mousetrap.api.http import paging
from mousetrap.api.http.errors import UnknownSourceError
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.live.broadcast import Broadcast
from mousetrap.api.openapi.examples import EVENTS
from mousetrap.api.services import Injected

MEDIA_TYPE = "text/event-stream"
DESCRIPTION = """\
A stream of Server-Sent Events that does not end:

- `ready`, the first one, with an id to resume from;
- `job` for every job that is new or that changes its state or its attempts; its data is the job as
  in the list of jobs;
- `reset` when events were missed: read the lists again.

A client that reconnects with `Last-Event-ID` receives the changes since then; some may be repeated.
The id is valid for every replica of this API; after five minutes it gives a `reset`. A comment is
sent every 15 seconds, with the id to resume from. A client that reads too slowly is cut off, and
can resume.
"""


class EventStream(Response[str]):
    """An answer that continues until the client is gone."""

    def __init__(self, broadcast: Broadcast, *, source: str | None, last_id: str | None) -> None:
        super().__init__("", media_type=MEDIA_TYPE)
        self._broadcast = broadcast
        self._source = source
        self._last_id = last_id

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]
        """Return the ASGI application that serves the stream."""
        return self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._broadcast.serve(
            cast("Any", receive),
            cast("Any", send),
            scope["state"]["abort"],
            client=scope["client"],
            caller=scope["auth"],
            source=self._source,
            last_id=self._last_id,
        )


@get(
    "/events",
    summary="Every change of a job, as it happens",
    description=DESCRIPTION,
    operation_id="stream_events",
    tags=["jobs"],
    media_type=MEDIA_TYPE,
    responses={
        200: ResponseSpec(
            str,
            description="The events",
            media_type=MEDIA_TYPE,
            generate_examples=False,
            examples=[Example(id="beginning", value=EVENTS)],
        )
    }
    | responses(UnknownSourceError, *COMMON),
)
async def stream(
    request: Request[Any, Any, Any],
    services: Injected,
    source: paging.SourceFilter = None,
    last_event_id: Annotated[
        str | None,
        HeaderParameter(name="Last-Event-ID", description="the id of the last event received"),
    ] = None,
) -> EventStream:
    """Answer with events."""
    services.broadcast.check(request.scope["client"], last_event_id)
    wanted = None if source is None else services.source(source)
    return EventStream(services.broadcast, source=wanted, last_id=last_event_id)
