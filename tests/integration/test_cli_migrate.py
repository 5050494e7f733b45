"""`ticketing migrate` as an operator sees it."""

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from devstack.databases import create_database, drop_database
from devstack.stack import Stack
from tests.integration.command import Command


@pytest.fixture
def unmigrated(command: Command, stack: Stack) -> Iterator[Command]:
    url = create_database(stack.postgres.url)
    command.environment["DATABASE_URL"] = url
    yield command
    drop_database(url)


def place(command: Command) -> str:
    parts = urlsplit(command.environment["DATABASE_URL"])
    return f"{parts.hostname}:{parts.port}{parts.path}"


def test_it_brings_a_database_to_head_once(unmigrated: Command) -> None:
    where = place(unmigrated)
    first, second = unmigrated("migrate"), unmigrated("migrate")
    assert (first.code, first.out) == (0, f"{where}: migrated from nothing to 0001.\n")
    assert (second.code, second.out) == (0, f"{where}: already at 0001.\n")


def test_the_check_changes_nothing_and_fails_until_it_is_done(unmigrated: Command) -> None:
    before = unmigrated("migrate", "--check")
    assert (before.code, before.out) == (1, "")
    assert before.err == (
        f"{place(unmigrated)} is at nothing and 0001 is wanted: run `ticketing migrate`.\n"
    )
    assert unmigrated("migrate", "--check", "--json").json["current"] is None
    unmigrated("migrate")
    after = unmigrated("migrate", "--check")
    assert (after.code, after.err) == (0, "")


def test_every_read_says_what_an_unmigrated_database_lacks(unmigrated: Command) -> None:
    for arguments in (
        ("ticket", "list"),
        ("dlq", "list"),
        ("request", "show", "--request-id", "r"),
    ):
        done = unmigrated(*arguments)
        assert done.code == 1
        assert "has no ticketing schema yet: run `ticketing migrate`." in done.err


def test_the_sql_needs_no_database(command: Command) -> None:
    command.environment.clear()
    done = command("migrate", "--sql", "--grant-to", "the service")
    assert done.code == 0
    assert "CREATE TABLE tickets" in done.out
    assert 'GRANT SELECT, INSERT ON ticket_facts TO "the service";' in done.out
    assert done.out.endswith('ALTER ROLE "the service" BYPASSRLS;\n')


def test_it_grants_a_role_its_rights(command: Command) -> None:
    role = f"ticketing_test_{secrets.token_hex(6)}"
    command.execute(f"CREATE ROLE {role}")
    try:
        done = command("migrate", "--grant-to", role)
        assert done.code == 0
        assert f"{role} has the service rights." in done.out
        done = command("migrate", "--grant-to", role, "--rights", "tenant")
        assert f"{role} has the tenant rights." in done.out
    finally:
        command.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_that_is_not_there_is_named(command: Command) -> None:
    done = command("migrate", "--grant-to", "nobody_here")
    assert done.code == 1
    assert done.err.startswith("Role nobody_here doesn't exist in this database")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:secret@127.0.0.1:1/d", "The database 127.0.0.1:1/d can't be used: "),
        ("mysql://u:secret@127.0.0.1/d", "TICKETING_DATABASE_URL can't be used: "),
    ],
)
def test_a_database_that_is_not_there_is_one_sentence_without_the_password(
    command: Command, url: str, sentence: str
) -> None:
    command.environment["DATABASE_URL"] = url
    done = command("migrate")
    assert done.code in {1, 2}
    assert sentence in done.err
    assert "secret" not in done.err
    assert done.err.count("\n") == 1
