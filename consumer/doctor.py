"""Everything the service stands on, checked in turn; a check never stops those after it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from consumer import clients
from consumer.database_checks import DATABASE_CHECKS
from consumer.finding import Finding, Verdict, failed, ok
from consumer.kafka_checks import KAFKA_CHECKS
from consumer.settings import Settings
from db.connect import connect

CHECK_SECONDS: Final = 20.0
DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, OSError)

Check = Callable[[Settings, Any], Awaitable[Finding]]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """The findings, each as soon as it is known."""
    async for finding in _database(settings):
        yield finding
    async for finding in _kafka(settings):
        yield finding


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        connection = await connect(
            settings.database_url.get_secret_value(),
            pooler=settings.database_pooler,
            application_name="ticketing doctor",
        )
    except DATABASE_ERRORS as error:
        yield failed(
            "database",
            f"it can't be reached: {_reason(error)}",
            "check TICKETING_DATABASE_URL and that the server runs",
        )
        for finding in _skipped(DATABASE_CHECKS):
            yield finding
        return
    yield ok("database", "it can be reached")
    try:
        for check in DATABASE_CHECKS:
            yield await _run(check, settings, connection)
    finally:
        await connection.close()


async def _kafka(settings: Settings) -> AsyncIterator[Finding]:
    admin = clients.admin(settings)
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await admin.start()
    except (KafkaError, OSError) as error:
        yield failed(
            "kafka",
            f"it can't be reached: {_reason(error)}",
            "check TICKETING_KAFKA_BOOTSTRAP_SERVERS and that the brokers run",
        )
        for finding in _skipped(KAFKA_CHECKS):
            yield finding
        await admin.close()
        return
    yield ok("kafka", "it can be reached")
    try:
        for check in KAFKA_CHECKS:
            yield await _run(check, settings, admin)
    finally:
        await admin.close()


async def _run(check: Check, settings: Settings, client: object) -> Finding:
    """A check that fails by an error of its own is a finding too."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check(settings, client)
    except (*DATABASE_ERRORS, KafkaError) as error:
        return _unchecked(check, error)


def _unchecked(check: Check, error: BaseException) -> Finding:
    while error.__cause__ is not None:  # SQLAlchemy wraps what the server says
        error = error.__cause__
    return failed(
        _name(check), f"it could not be checked: {_reason(error)}", "see the server's log"
    )


def _skipped(checks: Sequence[Check]) -> list[Finding]:
    return [Finding(Verdict.SKIPPED, _name(check), "there is nothing to ask") for check in checks]


def _name(check: Check) -> str:
    return check.__name__.replace("_", " ")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or "no answer in time"
