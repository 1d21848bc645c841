"""The roles of Postgres that `./pants up` gives its processes: none of them is a superuser."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

OWNER: Final = "mousetrap_owner"
API: Final = "mousetrap_api"
PROCESS: Final = "mousetrap_process"
FOLLOW_UP: Final = "mousetrap_follow_up"
ADMIN: Final = "mousetrap_admin"

_ALL: Final = (OWNER, API, PROCESS, FOLLOW_UP, ADMIN)

CREATE: Final = f"""
DO $$
DECLARE
    it text;
BEGIN
    FOREACH it IN ARRAY ARRAY{list(_ALL)!r} LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = it) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', it);
        END IF;
    END LOOP;
    FOR it IN SELECT datname FROM pg_database LOOP
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', it);
    END LOOP;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {", ".join(_ALL)}', current_database());
    -- Earlier versions created everything as the superuser.
    ALTER SCHEMA public OWNER TO {OWNER};
    FOR it IN SELECT oid::regclass FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO {OWNER}', it);
    END LOOP;
    FOR it IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO {OWNER}', it);
    END LOOP;
    FOR it IN SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
        AND (proname ~ '^lo_' OR proname IN ('loread', 'lowrite'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', it);
    END LOOP;
END
$$
"""  # noqa: S608 - made of constants
"""The statement of the superuser, which may run again; `migrate` then grants the rights."""


def log_in(dsn: str, role: str) -> str:
    """Return the DSN with another role and no password: sockets in a private folder need none."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
