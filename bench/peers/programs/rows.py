"""Where the batches of peers without an event loop end: a row for every time that one is stored."""

import json
import threading
import time

import psycopg

from bench.peers.programs import work

_own = threading.local()


def fetch() -> work.Points:
    """Do the work of the first stage."""
    time.sleep(work.DELAY)
    return work.invent()


def store(job: str, points: work.Points) -> None:
    """Do the work of the second stage, on the connection of this thread."""
    connection = getattr(_own, "connection", None)
    if connection is None or connection.closed:
        connection = _own.connection = psycopg.connect(work.POSTGRES_DSN, autocommit=True)
    connection.execute(work.STORE.format("%s", "%s"), (job, json.dumps(points)))
