"""Which dependencies answer, and how we wait for one that doesn't: tenacity, in one place.

Down is the default reading of a failure (DESIGN 2.2): only what is known to be about a record, our
membership in the group or a mistake of ours is not retried here.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, ParamSpec, TypeAlias, TypeVar

import asyncpg
import structlog
from aiokafka import errors as kafka
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from consumer import clock
from consumer.metrics import Metrics
from db.errors import Remedy, remedy

Name: TypeAlias = Literal["database", "kafka"]

P = ParamSpec("P")
T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
SECONDS_BETWEEN_LINES = 10.0
LONGEST_REASON = 300
SECONDS_WORK_IS_BELIEVED = 10.0
"""How long a failure of work outweighs a probe's success: several of our longest waits."""

NOT_KAFKAS_ABSENCE = (
    kafka.CommitFailedError,
    kafka.CorruptRecordException,
    kafka.IllegalArgumentError,
    kafka.IllegalGenerationError,
    kafka.IllegalStateError,
    kafka.InvalidTimestampError,
    kafka.InvalidTopicError,
    kafka.MessageSizeTooLargeError,
    kafka.NoOffsetForPartitionError,
    kafka.OffsetOutOfRangeError,
    kafka.OutOfOrderSequenceNumber,
    kafka.PolicyViolationError,
    kafka.ProducerClosed,
    kafka.ProducerFenced,
    kafka.RebalanceInProgressError,
    kafka.RecordListTooLargeError,
    kafka.RecordTooLargeError,
    kafka.TopicAlreadyExistsError,
    kafka.UnknownMemberIdError,
    kafka.UnknownTopicOrPartitionError,
    kafka.UnsupportedCodecError,
)
"""Answers about a record, a topic, our membership or a mistake: Kafka is there."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DependencyState:
    """One dependency as /readyz shows it; `since` is this machine's time of the last change."""

    is_up: bool
    since: datetime
    reason: str | None


class Dependencies:
    """The states of the database and of Kafka; one instance, made in compose."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        now: Callable[[], datetime] = clock.utc_now,
        seconds: Callable[[], float] = clock.seconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._metrics = metrics
        self._now = now
        self._seconds = seconds
        self._sleep = sleep
        self._logged_at: dict[Name, float] = {}
        self._failed_at: dict[Name, float] = {}
        self._failing: Counter[Name] = Counter()
        self._all_up_at = seconds()
        unreached = DependencyState(is_up=False, since=now(), reason="it was not reached yet")
        self._states: dict[Name, DependencyState] = {"database": unreached, "kafka": unreached}
        for name in self._states:
            metrics.dependency_up.labels(name).set(0)

    @property
    def states(self) -> Mapping[Name, DependencyState]:
        return self._states

    def is_up(self, name: Name) -> bool:
        return self._states[name].is_up

    def seconds_answering(self) -> float:
        """Return for how long all have answered without a break; 0 while one doesn't."""
        if not all(state.is_up for state in self._states.values()):
            return 0.0
        return self._seconds() - self._all_up_at

    def up(self, name: Name) -> None:
        """Record that work with it succeeded; a change is logged once.

        Unless other work is trying again at this moment: what answers one may refuse another.
        """
        if self._failing[name]:
            return
        self._failed_at.pop(name, None)
        before = self._states[name]
        if before.is_up:
            return
        now = self._now()
        self._states[name] = DependencyState(is_up=True, since=now, reason=None)
        self._metrics.dependency_up.labels(name).set(1)
        self._all_up_at = self._seconds()
        was_lost = self._logged_at.pop(name, None) is not None
        log.info(
            "dependency.recovered" if was_lost else "dependency.reached",
            dependency=name,
            down_seconds=round((now - before.since).total_seconds(), 3),
        )

    def answered(self, name: Name) -> None:
        """Record that it answered a probe, unless work with it has just failed.

        Work knows better: a database may answer and yet refuse what we need.
        """
        if self._seconds() - self._failed_at.get(name, -math.inf) >= SECONDS_WORK_IS_BELIEVED:
            self.up(name)

    def down(self, name: Name, reason: str | BaseException) -> None:
        """Record that work with it failed; logged at once, then every ten seconds at most."""
        self._failed_at[name] = self._seconds()
        self.unanswered(name, reason)

    def unanswered(self, name: Name, reason: str | BaseException) -> None:
        """Record that it did not answer a probe."""
        text = reason if isinstance(reason, str) else in_one_line(reason)
        before = self._states[name]
        since = self._now() if before.is_up else before.since
        self._states[name] = DependencyState(is_up=False, since=since, reason=text)
        self._metrics.dependency_up.labels(name).set(0)
        logged_at = self._logged_at.get(name)
        if logged_at is None:
            log.warning("dependency.lost", dependency=name, reason=text)
        elif self._seconds() - logged_at >= SECONDS_BETWEEN_LINES:
            log.warning("dependency.awaited", dependency=name, reason=text, since=since.isoformat())
        else:
            return
        self._logged_at[name] = self._seconds()

    async def retrying(
        self, name: Name, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await `call(*args, **kwargs)`; for as long as `name` is down, try again.

        Waits 0.05 s, doubling to 2 s at most, with full jitter; marks the state on the way. What is
        no absence of the dependency is raised at once, as it is. Cancel the task to give up.
        """

        async def once() -> T:
            try:
                return await call(*args, **kwargs)
            except Exception as error:
                if _is_told_to_stop():
                    raise asyncio.CancelledError from error
                raise

        try:
            result = await once()
        except Exception as error:
            if not is_absence(name, error):
                raise
            failures = [error]
        else:
            self.up(name)
            return result

        async def attempt() -> T:
            if failures:
                raise failures.pop()
            return await once()

        self._failing[name] += 1
        try:
            result = await self._policy(name)(attempt)
        finally:
            self._failing[name] -= 1
        self.up(name)
        return result

    def _policy(self, name: Name) -> AsyncRetrying:
        """Made only once something failed: each makes a hundred objects that hold one another."""

        def is_worth_another(attempt: RetryCallState) -> bool:
            outcome = attempt.outcome
            if outcome is None or not outcome.failed:
                return False
            error = outcome.exception()
            if error is None or not is_absence(name, error):
                return False
            self.down(name, error)
            self._metrics.retries.labels(name).inc()
            return True

        return AsyncRetrying(
            sleep=self._sleep,
            wait=wait_random_exponential(
                multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS, min=FIRST_WAIT_SECONDS / 2
            ),
            retry=is_worth_another,
            reraise=True,
        )


def _is_told_to_stop() -> bool:
    """Whether this task is cancelled: what was raised then may stand in its place.

    A client whose connection is lost at that moment raises so while it cleans up, as asyncpg's pool
    does; tried again, nobody would ever stop.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def is_absence(name: Name, error: BaseException) -> bool:
    """Whether the error means that the dependency can't do its work now."""
    if not isinstance(error, Exception):  # we were cancelled, or told to stop
        return False
    match name:
        case "database":
            return remedy(error) is Remedy.WAIT
        case "kafka":
            return isinstance(error, (OSError, kafka.KafkaError)) and not isinstance(
                error, NOT_KAFKAS_ABSENCE
            )


def in_one_line(error: BaseException) -> str:
    """Say an error in one line, for a log field and for /readyz.

    PostgreSQL's details may quote a row, and so what a customer wrote: only its message is kept,
    and of an error about data only the SQLSTATE.
    """
    text = " ".join(_told(error).split()) or "no answer in time"
    return f"{type(error).__name__}: {text}"[:LONGEST_REASON]


def _told(error: BaseException) -> str:
    if not isinstance(error, asyncpg.PostgresError):
        return str(error)
    if remedy(error) is Remedy.WAIT:
        return str(error.args[0]) if error.args else ""
    return f"SQLSTATE {error.sqlstate}"
