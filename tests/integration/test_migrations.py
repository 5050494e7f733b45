"""`ticketing migrate`: the tables it makes, from many places at once, from an installed wheel."""

import asyncio
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from db import migrate
from db.connect import connect, engine
from db.tables import metadata
from devstack.databases import create_database, drop_database
from devstack.stack import Stack

PROJECT = Path(__file__).parents[2]

CATALOGUE = """
SELECT format('column %s.%s %s null=%s default=%s', c.relname, a.attname,
              format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid))
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT format('options %s %s', c.relname, array(SELECT unnest(c.reloptions) ORDER BY 1))
  FROM pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
SELECT format('sequence %s %s cache %s start %s', sequencename, data_type, cache_size, start_value)
  FROM pg_sequences WHERE schemaname = current_schema()
"""
"""What a schema is made of, one text each."""


@pytest.fixture
def empty_url(stack: Stack) -> Iterator[str]:
    url = create_database(stack.postgres.url)
    yield url
    drop_database(url)


async def catalogue(url: str) -> set[str]:
    connection = await connect(url)
    try:
        found = {row[0] for row in await connection.fetch(CATALOGUE)}
    finally:
        await connection.close()
    return {line for line in found if "alembic_version" not in line}


async def test_alembic_sees_no_difference_between_models_and_migrations(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    database = engine(database_url)
    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.dispose()


async def test_the_catalogue_sees_no_difference_either(database_url: str, empty_url: str) -> None:
    """Alembic compares no storage parameter, check constraint, sequence or index predicate."""
    database = engine(empty_url)
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await database.dispose()
    models, migrations = await catalogue(empty_url), await catalogue(database_url)
    assert sorted(migrations - models) == sorted(models - migrations) == []


async def test_many_migrations_at_once_are_one(empty_url: str) -> None:
    done = await asyncio.gather(*(migrate.upgrade(empty_url) for _ in range(6)))
    assert sorted(upgraded.before.current or "" for upgraded in done) == [""] + ["0001"] * 5
    state = await migrate.state(empty_url)
    assert (state.current, state.pending) == (state.head, ())


async def test_a_migration_waits_for_another_and_says_so(empty_url: str) -> None:
    other = await connect(empty_url)
    await other.execute(f"SELECT pg_advisory_lock({migrate.MIGRATION_LOCK})")
    waits = asyncio.Event()
    upgrading = asyncio.create_task(
        migrate.upgrade(empty_url, on_wait=waits.set, lock_milliseconds=20)
    )
    await waits.wait()
    assert (await migrate.state(empty_url)).current is None
    await other.close()
    assert (await upgrading).before.current is None
    assert (await migrate.state(empty_url)).pending == ()


async def test_patience_with_another_migration_ends(empty_url: str) -> None:
    other = await connect(empty_url)
    await other.execute(f"SELECT pg_advisory_lock({migrate.MIGRATION_LOCK})")
    with pytest.raises(Exception, match="lock timeout"):
        await migrate.upgrade(empty_url, patience_seconds=0, lock_milliseconds=20)
    await other.close()


async def test_an_empty_database_is_behind_and_changes_nothing(empty_url: str) -> None:
    state = await migrate.state(empty_url)
    assert (state.current, state.pending[-1]) == (None, state.head)
    assert await catalogue(empty_url) == set()


async def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    connection = await connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    await connection.close()
    with pytest.raises(migrate.UnknownRevision, match="from the future"):
        await migrate.upgrade(database_url)
    with pytest.raises(migrate.UnknownRevision):
        await migrate.state(database_url)


async def test_the_sql_script_makes_the_same_schema(database_url: str, empty_url: str) -> None:
    connection = await connect(empty_url)
    await connection.execute(migrate.sql())
    await connection.close()
    assert await catalogue(empty_url) == await catalogue(database_url)
    assert (await migrate.state(empty_url)).pending == ()


async def test_a_migration_can_be_taken_back(empty_url: str) -> None:
    from alembic import command  # noqa: PLC0415  only this test goes backwards

    await migrate.upgrade(empty_url)
    database = engine(empty_url)
    async with database.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(migrate.config_for(sync), "base"))
    await database.dispose()
    assert await catalogue(empty_url) == set()


def test_migrations_import_nothing_of_ours() -> None:
    for script in (PROJECT / "migrations").rglob("*.py"):
        source = script.read_text()
        for package in ("schemas", "db", "handlers", "consumer"):
            assert f"from {package}" not in source
            assert f"import {package}" not in source


def test_an_installed_wheel_can_migrate(empty_url: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("isp_ticketing-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    program = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1]);"
        "import migrations; from db import migrate;"
        "print(migrations.__file__);"
        "print(asyncio.run(migrate.upgrade(sys.argv[2])).before.current)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(installed), empty_url],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    imported, before = done.stdout.splitlines()
    assert imported.startswith(str(installed))
    assert before == "None"


async def test_queues_are_vacuumed_by_count(database_url: str) -> None:
    """A drained queue that autovacuum recorded as empty gets bad plans (DESIGN 2.5)."""
    connection: asyncpg.Connection = await connect(database_url)
    options = await connection.fetchval(
        "SELECT reloptions FROM pg_class WHERE oid = 'outbox'::regclass"
    )
    await connection.close()
    assert "autovacuum_vacuum_threshold=1000" in options
