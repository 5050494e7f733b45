"""Checks of the database, each on an open connection."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import asyncpg

from consumer import clock
from consumer.finding import Finding, failed, ok
from consumer.policy_watch import reason_of
from consumer.settings import Settings
from consumer.wording import counted
from db import policies
from db.grants import may_copy
from db.migrate import UnknownRevision, state
from db.rights import SERVICE_RIGHTS
from handlers.policies import in_force

OLDEST_SERVER: Final = 140000
MOST_SKEW: Final = timedelta(seconds=2)
MOST_NAMED: Final = 5
POLICIES_AT_ONCE: Final = 50
"""Of 256 KiB each, at most."""


async def server_version(_: Settings, connection: asyncpg.Connection) -> Finding:
    number, name, encoding = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_setting('server_encoding')"
    )
    if number < OLDEST_SERVER:
        return failed("server version", f"PostgreSQL is {name}", "use PostgreSQL 14 or newer")
    if encoding != "UTF8":
        return failed(
            "server version",
            f"the database's encoding is {encoding}",
            "make it anew with ENCODING 'UTF8'",
        )
    return ok("server version", f"PostgreSQL {name}, UTF8")


async def schema_at_head(settings: Settings, _: asyncpg.Connection) -> Finding:
    try:
        found = await state(
            settings.database_url.get_secret_value(), pooler=settings.database_pooler
        )
    except UnknownRevision as error:
        return failed("schema", str(error), "use the version that migrated it")
    if found.pending:
        return failed(
            "schema",
            f"it is at {found.current or 'nothing'}, {found.head} is wanted",
            "run `ticketing migrate`",
        )
    return ok("schema", f"at {found.head}")


async def privileges(_: Settings, connection: asyncpg.Connection) -> Finding:
    missing = await connection.fetch(
        """
        SELECT r.name, trim(p) FROM unnest($1::text[], $2::text[]) AS r (name, rights)
         CROSS JOIN unnest(string_to_array(r.rights, ',')) AS p
         WHERE to_regclass(r.name) IS NULL OR NOT has_table_privilege(to_regclass(r.name), trim(p))
        """,
        list(SERVICE_RIGHTS),
        list(SERVICE_RIGHTS.values()),
    )
    role = await connection.fetchval("SELECT current_user")
    if missing:
        names = ", ".join(f"{right} on {table}" for table, right in missing[:MOST_NAMED])
        return failed(
            "privileges",
            f"{role} lacks {counted(len(missing), 'right')} ({names})",
            f"let the owner run `ticketing migrate --grant-to {role}`",
        )
    if not await connection.fetchval("SELECT has_sequence_privilege('outbox_id_seq', 'USAGE')"):
        return failed(
            "privileges",
            f"{role} lacks USAGE on outbox_id_seq",
            f"let the owner run `ticketing migrate --grant-to {role}`",
        )
    if not await may_copy(connection):
        return failed(
            "privileges",
            f"{role} is under row-level security, so it writes with INSERT, slower than COPY",
            f'let a superuser run ALTER ROLE "{role}" BYPASSRLS',
        )
    return ok("privileges", f"{role} has all that the service needs")


async def clock_skew(_: Settings, connection: asyncpg.Connection) -> Finding:
    """The database's clock counts; ours stamps the logs. Exact to half of a round trip."""
    before = clock.utc_now()
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    after = clock.utc_now()
    skew = abs(theirs - (before + (after - before) / 2))
    seconds = f"{skew.total_seconds():.1f} s"
    if skew > MOST_SKEW + (after - before) / 2:
        return failed(
            "clocks",
            f"this machine and the database differ by {seconds}",
            "keep both on time with NTP",
        )
    return ok("clocks", f"this machine and the database differ by {seconds}")


async def policies_understood(_: Settings, connection: asyncpg.Connection) -> Finding:
    """Whether the newest version of each tenant's policy can be understood here."""
    every = await policies.of_all_tenants(connection)
    causes: list[str] = []
    for first in range(0, len(every), POLICIES_AT_ONCE):
        found = await in_force(connection, every[first : first + POLICIES_AT_ONCE])
        for problem in found.unreadable:
            held = found.in_force.get(problem.tenant_id)
            instead = "the defaults hold" if held is None else f"version {held.version} holds"
            causes.append(
                f"version {problem.version} of {problem.tenant_id} is not understood here"
                f" ({reason_of(problem)}), so {instead}"
            )
    if causes:
        more = len(causes) - MOST_NAMED
        named = "; ".join(causes[:MOST_NAMED])
        return failed(
            "policies",
            f"{named}; and {more} more" if more > 0 else named,
            "use the program that it was applied with, install the time zones that it names"
            " (package tzdata), or apply one that is valid here with `ticketing policy apply`",
        )
    return ok("policies", f"{counted(len(every), 'tenant')} with a policy, all understood")


DATABASE_CHECKS: Final[tuple[Callable[[Settings, asyncpg.Connection], Awaitable[Finding]], ...]] = (
    server_version,
    schema_at_head,
    privileges,
    clock_skew,
    policies_understood,
)
