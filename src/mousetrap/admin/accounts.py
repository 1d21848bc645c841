"""The account and the sessions of the admin page, which live as long as the process."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from piccolo.apps.user.tables import BaseUser
from piccolo.engine.sqlite import SQLiteEngine
from piccolo_api.session_auth.tables import SessionsBase

# A database of their own, so the page needs no write access to ours.
ENGINE: Final = SQLiteEngine(path="")


class User(BaseUser, db=ENGINE, tablename="account"):
    """An account."""


class Session(SessionsBase, db=ENGINE, tablename="session"):
    """The session of a logged-in user."""


@asynccontextmanager
async def opened(name: str, password: str) -> AsyncIterator[None]:
    """Create the only account, and delete it at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="mousetrap-admin-") as folder:
        ENGINE.path = str(Path(folder, "accounts.sqlite"))
        await User.create_table()
        await Session.create_table()
        await User.create_user(name, password, admin=True, active=True)
        yield
