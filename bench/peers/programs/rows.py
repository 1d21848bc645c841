"""Stores the batches of peers without an event loop: a row for each time that one is stored."""

import json
import threading
import time

import psycopg

from bench.peers.programs import work

_own = threading.local()


def fetch() -> work.Points:
    """Run the first stage."""
    time.sleep(work.DELAY)
    return work.invent()


def store(job: str, points: work.Points) -> None:
    """Run the second stage, on the connection of this thread."""
    connection = getattr(_own, "connection", None)
    if connection is None or connection.closed:
        connection = _own.connection = psycopg.connect(work.POSTGRES_DSN, autocommit=True)
    connection.execute(work.STORE.format("%s", "%s"), (job, json.dumps(points)))
