"""The migrations build exactly the tables that the code uses, on both databases, and go back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from parsers.records import ListingState
from service.errors import ConfigError
from service.stores import migrations
from service.stores.catalog import SqlCatalog, migrate, open_catalog
from service.stores.databases import make_engine
from service.stores.tables import metadata
from tests.stores.support import DAY, NOW, Postgres, first_commit, next_commit, stored_photo


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_migrations_and_tables_agree(empty_url: str) -> None:
    migrate(empty_url)
    engine = make_engine(empty_url, None)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_in_sqlite_they_agree_to_the_letter(tmp_path: Path) -> None:
    """Partial indexes, WITHOUT ROWID and cascades too, which the comparison above does not see."""
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    metadata.create_all(create_engine(f"sqlite:///{made}"))
    migrate(f"sqlite:///{migrated}")
    assert schema(made) == schema(migrated)
    assert any("WITHOUT ROWID" in line for line in schema(made))


def schema(path: Path) -> list[str]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != 'alembic_version'")
        )
        found = sorted(" ".join(row.sql.split()) for row in rows)
    engine.dispose()
    return found


def test_down_leaves_nothing_and_up_again_works(empty_url: str) -> None:
    migrate(empty_url)
    engine = make_engine(empty_url, None)
    assert tables_of(engine) == set(metadata.tables)
    migrations.downgrade(engine, "base")
    assert tables_of(engine) == set()
    engine.dispose()
    catalog = open_catalog(empty_url, migrate=True)
    catalog.commit("feed", first_commit("1", stored_photo(1)), NOW, NOW)
    assert catalog.status("feed").photos == 1
    catalog.close()


def test_a_second_migration_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    catalog = open_catalog(empty_url, migrate=False)
    catalog.set_mark("feed", "changes", "kept")
    migrate(empty_url)
    assert catalog.mark("feed", "changes") == "kept"
    catalog.close()


def test_several_processes_may_start_on_an_empty_database_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(migrate, [empty_url] * 4))
    open_catalog(empty_url, migrate=False).close()


def test_a_pending_migration_is_said_with_its_command(postgres: Postgres) -> None:
    with pytest.raises(ConfigError, match="run python -m service migrate"):
        open_catalog(postgres.fresh_database(), migrate=False)


def test_a_catalog_of_a_newer_version_is_not_touched(empty_url: str) -> None:
    migrate(empty_url)
    engine = make_engine(empty_url, None)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for wanted in (True, False):
        with pytest.raises(ConfigError, match="revision 9999"):
            open_catalog(empty_url, migrate=wanted)


def test_a_failed_migration_leaves_the_database_as_it_was(empty_url: str) -> None:
    engine = make_engine(empty_url, None)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE events (mine INTEGER)"))
    with pytest.raises(Exception, match="events"):
        migrate(empty_url)
    assert tables_of(engine) == {"events"}
    engine.dispose()


def kept(catalog: SqlCatalog) -> tuple[object, ...]:
    return (
        catalog.stored_sets("feed", ["1", "2"]),
        catalog.owed("feed", NOW + DAY, 9),
        catalog.due_deletions("feed", NOW + DAY, 9),
        catalog.manifests_due("feed", 9),
        catalog.mark("feed", "changes"),
        catalog.status("feed"),
    )


def test_every_step_goes_down_and_up_again_and_the_record_is_kept(empty_url: str) -> None:
    """What a later revision added goes with it; what was synchronised, owed and to be deleted stays."""
    catalog = open_catalog(empty_url, migrate=True)
    first = first_commit("1", stored_photo(1), stored_photo(2, caption="Küche"))
    catalog.commit("feed", first, NOW, NOW)
    catalog.commit("feed", next_commit(first.after, stored_photo(2), stored_photo(3)), NOW, NOW)
    catalog.owe("feed", [ListingState("2", "s", expected_count=3)], "cursor", NOW)
    run = catalog.run_started("feed", NOW)
    catalog.run_ended(run, NOW, {"uploaded": 3}, None)
    before = kept(catalog)
    with catalog._engine.connect() as connection:
        steps = ScriptDirectory.from_config(migrations._config(connection)).walk_revisions()
        revisions = [script.revision for script in steps]
    for reached in range(1, len(revisions)):
        for revision in revisions[1 : reached + 1]:
            migrations.downgrade(catalog._engine, revision)
        assert version(catalog._engine) == revisions[reached]
        migrations.upgrade(catalog._engine)
        assert version(catalog._engine) == revisions[0]
        assert kept(catalog) == before
    with catalog._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    catalog.close()


def version(engine: Engine) -> str:
    with engine.connect() as connection:
        found: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return found
