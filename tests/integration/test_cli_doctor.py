"""`ticketing doctor`: each cause and its remedy in one sentence."""

import secrets
from urllib.parse import urlsplit

from tests.integration.command import Command


def verdicts(command: Command) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in command("doctor", "--json").json}


def test_a_sound_installation_passes_every_check(kafka_command: Command) -> None:
    kafka_command("topics", "--replication-factor", "1")
    done = kafka_command("doctor")
    assert done.code == 0, done.out
    assert [line.split(":")[0] for line in done.out.splitlines()] == [
        "ok      settings",
        "ok      database",
        "ok      server version",
        "ok      schema",
        "ok      privileges",
        "ok      clocks",
        "ok      policies",
        "ok      kafka",
        "ok      topics",
        "ok      max.message.bytes",
        "ok      group",
    ]


def test_what_is_away_fails_and_what_depends_on_it_is_skipped(command: Command) -> None:
    command.environment["DATABASE_URL"] = "postgresql://u:secret@127.0.0.1:1/d"
    found = verdicts(command)
    assert [name for name, verdict in found.items() if verdict == "failed"] == ["database", "kafka"]
    assert {found[name] for name in ("privileges", "clock skew", "group state")} == {"skipped"}
    done = command("doctor")
    assert done.code == 1
    assert "check TICKETING_DATABASE_URL and that the server runs" in done.out
    assert "secret" not in done.out + done.err


def test_a_wrong_setting_is_a_finding(command: Command) -> None:
    command.environment["GRUOP_ID"] = "x"
    done = command("doctor")
    assert done.code == 1
    assert "TICKETING_GRUOP_ID is not a setting" in done.out


def test_topics_that_are_missing_and_a_schema_that_is_behind(kafka_command: Command) -> None:
    kafka_command.execute("DELETE FROM alembic_version")
    done = kafka_command("doctor")
    assert done.code == 1
    assert "failed  schema: it is at nothing, 0001 is wanted; run `ticketing migrate`." in done.out
    assert "does not exist (and 14 more: `ticketing topics --check`)" in done.out


def test_a_role_without_rights_is_told_who_can_give_them(command: Command) -> None:
    role = f"ticketing_test_{secrets.token_hex(6)}"
    url = urlsplit(command.environment["DATABASE_URL"])
    owner = url.geturl()
    command.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    address = url.netloc.rpartition("@")[2]
    try:
        command.environment["DATABASE_URL"] = url._replace(netloc=f"{role}:p@{address}").geturl()
        out = command("doctor").out
        assert f"`ticketing migrate --grant-to {role}`" in out
        command.environment["DATABASE_URL"] = owner
        command("migrate", "--grant-to", role)
        command.execute(f"ALTER ROLE {role} NOBYPASSRLS")
        command.environment["DATABASE_URL"] = url._replace(netloc=f"{role}:p@{address}").geturl()
        assert f'ALTER ROLE "{role}" BYPASSRLS' in command("doctor").out
    finally:
        command.environment["DATABASE_URL"] = owner
        command.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_policy_that_is_not_understood_is_named_with_what_holds_instead(
    command: Command,
) -> None:
    command.execute("""
        INSERT INTO policies (tenant_id, version, document) VALUES
          ('north', 1, '{}'), ('west', 1, '{}'),
          ('north', 2, '{"sla": [{"name": "x", "targets": {"resolution": "soon"}}]}'),
          ('south', 1, '{"settings": {"reopen_days": "some"}}')
    """)
    (line,) = [line for line in command("doctor").out.splitlines() if "policies" in line]
    assert line.startswith("failed  policies: version 2 of north is not understood here (")
    assert "so version 1 holds; version 1 of south is not understood here (TypeError: " in line
    assert "so the defaults hold; use the program that it was applied with" in line
    assert "`ticketing policy apply`" in line
    command.execute("DELETE FROM policies WHERE tenant_id = 'south' OR version = 2")
    out = command("doctor").out
    assert "ok      policies: 2 tenants with a policy, all understood." in out
