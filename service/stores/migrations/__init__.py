"""The catalog's schema in steps: Alembic, driven from here, on a connection that is handed in."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from service.errors import ConfigError

# Any number will do, as long as every process that migrates asks for the same one.
_ADVISORY_LOCK = 7_241_116


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision` in one transaction; two processes at once take turns."""
    with engine.connect() as connection:
        if is_current(connection):
            return
    with engine.execution_options(begin="IMMEDIATE").begin() as connection:
        _take_turn(connection)
        if not is_current(connection):
            command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision`; `base` leaves no table."""
    with engine.execution_options(begin="IMMEDIATE").begin() as connection:
        _take_turn(connection)
        command.downgrade(_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Whether nothing is pending. ConfigError when the schema is newer than this program."""
    scripts = ScriptDirectory.from_config(_config(connection))
    current = MigrationContext.configure(connection).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    if unknown := set(current) - known:
        raise ConfigError(
            f"the catalog is at revision {', '.join(sorted(unknown))}, which this version does not know",
            hint="run the newer version that made it",
        )
    return set(current) == set(scripts.get_heads())


def _take_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
