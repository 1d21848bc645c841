"""Who may look at the admin page. Accounts and sessions live as long as the process."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from piccolo.apps.user.tables import BaseUser
from piccolo.engine.sqlite import SQLiteEngine
from piccolo_api.session_auth.tables import SessionsBase

# They have no place in our database, and so the page needs no right to write there.
ENGINE: Final = SQLiteEngine(path="")


class User(BaseUser, db=ENGINE, tablename="account"):
    """Somebody who may log in."""


class Session(SessionsBase, db=ENGINE, tablename="session"):
    """Somebody who has logged in."""


@asynccontextmanager
async def opened(name: str, password: str) -> AsyncIterator[None]:
    """Let one person in, by name and password, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="mousetrap-admin-") as folder:
        ENGINE.path = str(Path(folder, "accounts.sqlite"))
        await User.create_table()
        await Session.create_table()
        await User.create_user(name, password, admin=True, active=True)
        yield
