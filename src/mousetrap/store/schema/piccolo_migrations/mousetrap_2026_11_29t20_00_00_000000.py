"""A summary is one JSON document."""

ID = "2026-11-29T20:00:00:000000"
DESCRIPTION = "documents of summaries"

_UTC = """to_char(it.%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

STATEMENTS = (
    # Null in the rows of the version before. Filling it in would lock a large table for long.
    "ALTER TABLE summary ADD COLUMN document json",
    # The document of a row that has none, in the form of version 1.
    f"""
    CREATE FUNCTION summary_document(it summary) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT ('{{"version":1,' || substr(json_build_object(
            'job_id', it.job_id,
            'source', it.source,
            'requested_at', {_UTC % 'requested_at'},
            'fetched_at', {_UTC % 'fetched_at'},
            'processed_at', {_UTC % 'processed_at'},
            'count', it.point_count,
            'centroid', CASE WHEN it.centroid_lat IS NOT NULL
                THEN json_build_array(it.centroid_lat, it.centroid_lon) END,
            'most_northerly', json_build_object(
                'lat', it.most_northerly_lat,
                'lon', it.most_northerly_lon,
                'name', it.most_northerly_name),
            'bbox', json_build_array(it.west, it.south, it.east, it.north)
        )::text, 2))::json
    $$
    """,
    # Processes of the version before read the columns, and may be started again. Their constraints
    # hold for documents too.
    """
    CREATE FUNCTION summary_columns() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        it jsonb := NEW.document;
    BEGIN
        NEW.fetched_at := it ->> 'fetched_at';
        NEW.processed_at := it ->> 'processed_at';
        NEW.point_count := it ->> 'count';
        NEW.centroid_lat := it -> 'centroid' ->> 0;
        NEW.centroid_lon := it -> 'centroid' ->> 1;
        NEW.most_northerly_lat := it -> 'most_northerly' ->> 'lat';
        NEW.most_northerly_lon := it -> 'most_northerly' ->> 'lon';
        NEW.most_northerly_name := it -> 'most_northerly' ->> 'name';
        NEW.west := it -> 'bbox' ->> 0;
        NEW.south := it -> 'bbox' ->> 1;
        NEW.east := it -> 'bbox' ->> 2;
        NEW.north := it -> 'bbox' ->> 3;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER summary_columns BEFORE INSERT ON summary
    FOR EACH ROW WHEN (NEW.document IS NOT NULL) EXECUTE FUNCTION summary_columns()
    """,
)
