import asyncio
import gc
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiokafka import errors as kafka
from structlog.testing import capture_logs

from consumer.dependencies import Dependencies, is_absence
from consumer.metrics import Metrics

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """A clock that moves only while somebody sleeps on it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def dependencies(clock: FakeClock, metrics: Metrics) -> Dependencies:
    return Dependencies(metrics, now=clock.now, seconds=lambda: clock.seconds, sleep=clock.sleep)


class Flaky:
    """A call that fails so many times before it succeeds."""

    def __init__(self, failures: int, error: BaseException) -> None:
        self.left = failures
        self.error = error

    async def __call__(self, answer: str) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return answer


def test_nothing_is_up_before_it_was_reached(dependencies: Dependencies) -> None:
    assert not dependencies.is_up("database")
    assert dependencies.states["kafka"].reason == "it was not reached yet"
    assert dependencies.seconds_answering() == 0


async def test_a_call_is_repeated_until_the_dependency_answers(
    dependencies: Dependencies, clock: FakeClock, metrics: Metrics
) -> None:
    call = Flaky(12, ConnectionRefusedError("no"))

    with capture_logs() as lines:
        assert await dependencies.retrying("database", call, "answer") == "answer"

    assert len(clock.slept) == 12
    assert all(0.02 <= seconds <= 2 for seconds in clock.slept)
    assert dependencies.is_up("database")
    assert lines[0]["event"] == "dependency.lost"
    assert lines[-1]["event"] == "dependency.recovered"
    assert len(lines) <= 2 + sum(clock.slept) / 10
    assert metrics.registry.get_sample_value(
        "ticketing_retries_total", {"dependency": "database"}
    ) == pytest.approx(12)


async def test_what_answers_one_and_refuses_another_is_down_until_nobody_is_refused(
    dependencies: Dependencies,
) -> None:
    renewed = asyncio.Event()

    async def refused() -> str:
        if renewed.is_set():
            return "written"
        await dependencies.retrying("database", Flaky(0, OSError()), "the lease is renewed")
        states.append(dependencies.is_up("database"))
        if len(states) == 5:
            renewed.set()
        raise asyncpg.InsufficientPrivilegeError("permission denied")

    states: list[bool] = []
    assert await dependencies.retrying("database", refused) == "written"
    assert states == [True, False, False, False, False]
    assert dependencies.is_up("database")


async def test_a_long_absence_is_told_every_ten_seconds(
    dependencies: Dependencies, clock: FakeClock
) -> None:
    with capture_logs() as lines:
        for _ in range(61):
            dependencies.down("kafka", "no broker")
            clock.seconds += 0.5

    assert [line["event"] for line in lines] == ["dependency.lost", *["dependency.awaited"] * 3]


def test_the_time_of_a_loss_and_its_latest_reason_are_kept(
    dependencies: Dependencies, clock: FakeClock
) -> None:
    dependencies.up("database")
    clock.seconds = 5
    dependencies.down("database", "first")
    clock.seconds = 9
    dependencies.down("database", TimeoutError())

    state = dependencies.states["database"]

    assert (state.is_up, state.since) == (False, START + timedelta(seconds=5))
    assert state.reason == "TimeoutError: no answer in time"


def test_a_probe_does_not_overrule_work_that_has_just_failed(
    dependencies: Dependencies, clock: FakeClock
) -> None:
    dependencies.up("database")
    dependencies.down("database", "permission denied for table tickets")
    clock.seconds = 9
    dependencies.answered("database")
    assert not dependencies.is_up("database")

    clock.seconds = 10
    dependencies.answered("database")
    assert dependencies.is_up("database")


def test_a_probe_and_work_are_believed_at_once_where_they_agree(dependencies: Dependencies) -> None:
    dependencies.answered("kafka")
    assert dependencies.is_up("kafka")

    dependencies.unanswered("kafka", "no answer")
    assert not dependencies.is_up("kafka")

    dependencies.answered("kafka")
    assert dependencies.is_up("kafka")

    dependencies.down("kafka", "no answer")
    dependencies.up("kafka")
    assert dependencies.is_up("kafka")


def test_answering_counts_from_the_last_recovery(
    dependencies: Dependencies, clock: FakeClock
) -> None:
    dependencies.up("database")
    clock.seconds = 10
    dependencies.up("kafka")
    clock.seconds = 17
    dependencies.up("kafka")
    assert dependencies.seconds_answering() == 7

    dependencies.down("database", "gone")
    assert dependencies.seconds_answering() == 0


async def test_what_is_no_absence_is_raised_as_it_is(
    dependencies: Dependencies, clock: FakeClock
) -> None:
    error = asyncpg.DataError("bad")
    error.sqlstate = "22000"

    with pytest.raises(asyncpg.DataError) as caught:
        await dependencies.retrying("database", Flaky(1, error), "answer")

    assert caught.value is error
    assert clock.slept == []


async def test_a_cancelled_wait_ends(dependencies: Dependencies) -> None:
    with pytest.raises(asyncio.CancelledError):
        await dependencies.retrying("database", Flaky(1, asyncio.CancelledError()), "answer")


async def test_a_call_that_succeeds_leaves_no_cycles_behind(dependencies: Dependencies) -> None:
    """At 200 batches a second they would stop the loop for 100 ms every few seconds."""
    await dependencies.retrying("kafka", Flaky(0, ValueError()), "answer")
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            await dependencies.retrying("kafka", Flaky(0, ValueError()), "answer")
        assert gc.collect() < 100
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "error",
    [
        kafka.KafkaConnectionError("no broker"),
        kafka.NodeNotReadyError("not yet"),
        kafka.RequestTimedOutError(),
        kafka.TopicAuthorizationFailedError("topic"),
        kafka.NotEnoughReplicasError(),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_a_broker_that_cannot_work_is_absent(error: Exception) -> None:
    assert is_absence("kafka", error)


@pytest.mark.parametrize(
    "error",
    [
        kafka.MessageSizeTooLargeError(),
        kafka.CommitFailedError(),
        kafka.UnknownTopicOrPartitionError(),
        kafka.OutOfOrderSequenceNumber(),
        ValueError("ours"),
        KeyboardInterrupt(),
    ],
)
def test_an_answer_of_the_broker_is_no_absence(error: BaseException) -> None:
    assert not is_absence("kafka", error)


async def test_a_cancellation_that_a_failure_hides_is_one_all_the_same() -> None:
    """A client that cleans up after a lost connection may raise in place of the cancellation."""
    began = asyncio.Event()
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            raise ConnectionResetError

    waiting = asyncio.create_task(Dependencies(Metrics()).retrying("database", call))
    await began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert calls == 1
