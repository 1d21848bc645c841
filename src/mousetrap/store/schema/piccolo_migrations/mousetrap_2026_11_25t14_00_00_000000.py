"""Every change of a job is noted and told, whoever makes it."""

ID = "2026-11-25T14:00:00:000000"
DESCRIPTION = "notices of changed jobs"

_CHANGED = "WHEN ((OLD.state, OLD.attempts) IS DISTINCT FROM (NEW.state, NEW.attempts))"

STATEMENTS = (
    # Jobs of which nothing is known changed long ago. By the clock and not by the begin of the
    # transaction, so that a change is noted close to the commit that shows it.
    "ALTER TABLE job ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity'",
    "ALTER TABLE job ALTER COLUMN changed_at SET DEFAULT clock_timestamp()",
    "CREATE INDEX job_changed ON job (changed_at, id)",
    """
    CREATE FUNCTION job_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.changed_at := clock_timestamp();
        RETURN NEW;
    END
    $$
    """,
    f"""
    CREATE TRIGGER job_note BEFORE UPDATE OF state, attempts ON job
    FOR EACH ROW {_CHANGED} EXECUTE FUNCTION job_note()
    """,
    # A notice has to be shorter than 8,000 bytes. Without its error it is, and whoever hears a
    # failure without one looks for it in the table.
    """
    CREATE FUNCTION job_tell() RETURNS trigger LANGUAGE plpgsql SET timezone = 'UTC' AS $$
    DECLARE
        notice text := json_build_object(
            'job_id', NEW.id,
            'sequence', NEW.sequence,
            'source', NEW.source,
            'state', NEW.state,
            'attempts', NEW.attempts,
            'requested_at', NEW.requested_at,
            'fetched_at', NEW.fetched_at,
            'finished_at', NEW.finished_at,
            'error_code', NEW.error_code,
            'error_detail', NEW.error_detail,
            'slot', NEW.slot,
            'changed_at', NEW.changed_at);
    BEGIN
        IF octet_length(notice) >= 8000 THEN
            notice := notice::jsonb - 'error_code' - 'error_detail';
        END IF;
        PERFORM pg_notify('mousetrap_jobs', notice);
        RETURN NULL;
    END
    $$
    """,
    # After, for a row that is not inserted because of a conflict is nobody's news.
    "CREATE TRIGGER job_tell AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION job_tell()",
    f"""
    CREATE TRIGGER job_tell_change AFTER UPDATE OF state, attempts ON job
    FOR EACH ROW {_CHANGED} EXECUTE FUNCTION job_tell()
    """,
    # That there is a new summary is told by its job. Postgres sends equal notices of one
    # transaction once.
    """
    CREATE FUNCTION summary_tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('mousetrap_summaries', '');
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER summary_tell AFTER UPDATE OR DELETE OR TRUNCATE ON summary
    FOR EACH STATEMENT EXECUTE FUNCTION summary_tell()
    """,
)
