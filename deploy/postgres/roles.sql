\set ON_ERROR_STOP on
-- The superuser runs this once, when the database is created. It creates the roles; `process_worker migrate`,
-- which knows the tables, grants their rights.
\set owner_password `cat /run/secrets/postgres_owner_password`
\set api_password `cat /run/secrets/postgres_api_password`
\set process_password `cat /run/secrets/postgres_process_password`
\set follow_up_password `cat /run/secrets/postgres_follow_up_password`
\set admin_password `cat /run/secrets/postgres_admin_password`

CREATE ROLE mousetrap_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE mousetrap_api LOGIN PASSWORD :'api_password';
CREATE ROLE mousetrap_process LOGIN PASSWORD :'process_password';
CREATE ROLE mousetrap_follow_up LOGIN PASSWORD :'follow_up_password';
CREATE ROLE mousetrap_admin LOGIN PASSWORD :'admin_password';

-- A builtin locale: updates of the system's libraries cannot change the sort order under the indexes.
CREATE DATABASE mousetrap OWNER mousetrap_owner TEMPLATE template0
    ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE mousetrap FROM PUBLIC;
GRANT CONNECT ON DATABASE mousetrap TO mousetrap_api, mousetrap_process, mousetrap_follow_up, mousetrap_admin;

\connect mousetrap
ALTER SCHEMA public OWNER TO mousetrap_owner;

-- For a database that an earlier version created, run the rest of this file by hand: it may run again.

-- The limits add up to less than max_connections: no role can lock out another one, nor the superuser.
-- An API has up to 6 connections, a process worker 5. On a developer's machine all processes log in as the owner.
ALTER ROLE mousetrap_owner CONNECTION LIMIT 15;
ALTER ROLE mousetrap_api CONNECTION LIMIT 40;
ALTER ROLE mousetrap_process CONNECTION LIMIT 25;
ALTER ROLE mousetrap_follow_up CONNECTION LIMIT 10;
ALTER ROLE mousetrap_admin CONNECTION LIMIT 5;

-- Nobody needs more of other databases, nor large objects, which no right of a table and no retention bounds.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname ~ '^lo_' OR proname IN ('loread', 'lowrite'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
