"""The application as Piccolo's migrations know it."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from mousetrap.store.schema.tables import AttemptRow, BatchRow, DeadLetterRow, JobRow, SummaryRow
from mousetrap.store.schema.version import APP

APP_CONFIG = AppConfig(
    app_name=APP,
    migrations_folder_path=Path(__file__).parent / "piccolo_migrations",
    table_classes=[JobRow, AttemptRow, SummaryRow, BatchRow, DeadLetterRow],
)
