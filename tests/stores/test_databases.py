"""What a database's failures mean, without a password in any text."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from service.errors import ConfigError, RetryLater, ServiceError
from service.stores import databases
from service.stores.catalog import open_catalog
from tests.stores.support import NOW, Postgres, first_commit, wait_until

SECRET = "the-planted-password"


def refusal(url: str, password: str | None = None) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        open_catalog(url, password, migrate=True)
    error: BaseException | None = caught.value
    while error:  # nor in any text that stands behind it
        assert SECRET not in str(error)
        error = error.__cause__
    return caught.value


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not a database address"),
        ("mysql://127.0.0.1/catalog", "mysql is not supported"),
        ("postgresql://127.0.0.1/catalog", "postgresql is not supported"),
        (f"postgresql+psycopg://me:{SECRET}@127.0.0.1/catalog", "use catalog.password_env"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(url: str, said: str) -> None:
    error = refusal(url)
    assert isinstance(error, ConfigError)
    assert said in str(error)


def test_sqlite_takes_no_password(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path / 'catalog.db'}", SECRET)
    assert "SQLite takes none" in str(error)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    open_catalog(f"sqlite:///{tmp_path / 'new' / 'data' / 'catalog.db'}", migrate=False).close()
    assert (tmp_path / "new" / "data" / "catalog.db").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    error = refusal(f"sqlite:///{tmp_path / 'file' / 'data' / 'catalog.db'}")
    assert isinstance(error, ConfigError)
    assert str(tmp_path / "file") in str(error)


def test_a_folder_in_the_place_of_the_file_is_the_users_to_mend(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path}")
    assert isinstance(error, ConfigError)
    assert "unable to open database file" in str(error)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"somebody's letter, and no database at all" * 100)
    error = refusal(f"sqlite:///{path}")
    assert isinstance(error, ConfigError)
    assert "not a database" in str(error)
    assert path.read_bytes().startswith(b"somebody's letter")


def test_a_lock_that_does_not_end_is_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "BUSY_SECONDS", 0.05)
    path = tmp_path / "catalog.db"
    catalog = open_catalog(f"sqlite:///{path}", migrate=True)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RetryLater, match="locked"):
        catalog.set_mark("feed", "changes", "x")
    assert catalog.mark("feed", "changes") is None  # readers are not held up
    holder.execute("ROLLBACK")
    holder.close()
    catalog.set_mark("feed", "changes", "x")
    catalog.close()


def test_tables_that_vanished_name_the_command(tmp_path: Path) -> None:
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", migrate=True)
    with catalog._engine.begin() as db:
        db.execute(text("DROP TABLE marks"))
    with pytest.raises(ConfigError, match="run python -m service migrate"):
        catalog.mark("feed", "changes")
    catalog.close()


def test_sqlite_commits_are_durable_before_they_return(tmp_path: Path) -> None:
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", migrate=True)
    with catalog._engine.connect() as db:
        pragmas = [db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]
        assert db.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    catalog.close()


def test_a_postgresql_that_is_down_is_for_later() -> None:
    error = refusal("postgresql+psycopg://me@127.0.0.1:1/catalog", SECRET)
    assert isinstance(error, RetryLater)


@pytest.mark.parametrize(("database", "user"), [("no_such_database", "postgres"), ("postgres", "nobody")])
def test_an_unknown_database_or_user_is_the_users_to_mend(
    postgres: Postgres, database: str, user: str
) -> None:
    error = refusal(postgres.url(database, user), SECRET)
    assert isinstance(error, ConfigError)
    assert "does not exist" in str(error)
    assert "catalog.url" in str(error)


def test_a_wrong_password_is_the_users_to_mend(postgres: Postgres) -> None:
    url = postgres.fresh_database().replace("postgres@", "locked@")
    postgres.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'the-right-one'")
    rules = postgres.directory / "pg_hba.conf"
    rules.write_text("local all locked scram-sha-256\n" + rules.read_text(encoding="utf-8"), encoding="utf-8")
    postgres.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not lets_in(url))  # it reloads in its own time
    for password in (SECRET, None):
        error = refusal(url, password)
        assert isinstance(error, ConfigError)
        assert "password" in str(error)
    open_catalog(url, "the-right-one", migrate=True).close()


def lets_in(url: str) -> bool:
    try:
        psycopg.connect(url.replace("+psycopg", "")).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_connection_that_was_lost_is_for_later_and_then_made_anew(
    postgres: Postgres, migrated: str
) -> None:
    catalog = open_catalog(migrated, migrate=False)
    catalog.commit("lost", first_commit("1"), NOW, NOW)
    with catalog._engine.connect() as db:
        pid = db.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    with pytest.raises(RetryLater):
        catalog.status("lost")
    assert catalog.status("lost").listings == 1
    catalog.close()
