"""Dead letters that are over are removed for their age; nobody's decision is forestalled."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from consumer.metrics import Metrics
from consumer.retention import Retention
from consumer.rules import letters_kept
from consumer.settings import Settings
from tests.integration.batch_stage import BatchStage, staged
from tests.records import broken

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        yield ready


async def keep(stage: BatchStage, offset: int, state: str, *, days: float, step: float) -> None:
    """A letter that failed so many days ago and was last decided about so many days ago."""
    await stage.settle([broken(offset)])
    await stage.ask(
        """
        UPDATE dead_letters SET state = $2, failed_at = now() - $3 * interval '1 day'
         WHERE "offset" = $1
        """,
        *(offset, state, days),
    )
    await stage.ask(
        """
        INSERT INTO dead_letter_steps (topic, partition, "offset", record_timestamp, number, at,
                                       actor, state)
        SELECT topic, partition, "offset", record_timestamp, 1, now() - $2 * interval '1 day',
               'ops', state FROM dead_letters WHERE "offset" = $1
        """,
        *(offset, step),
    )


def retention(stage: BatchStage, **options: Any) -> tuple[Retention, Metrics]:  # noqa: ANN401  as Retention
    metrics = Metrics()
    return Retention(pool=stage.pool, metrics=metrics, kept=DAY, **options), metrics


async def left(stage: BatchStage) -> list[int]:
    rows = await stage.ask('SELECT "offset" FROM dead_letters ORDER BY 1')
    steps = await stage.ask('SELECT DISTINCT "offset" FROM dead_letter_steps ORDER BY 1')
    assert rows == steps
    return [row[0] for row in rows]


async def test_what_is_over_goes_and_what_nobody_decided_stays(stage: BatchStage) -> None:
    for offset, state in enumerate(
        ("dead", "failed_again", "redriven", "discarded", "resolved_by_replay")
    ):
        await keep(stage, offset, state, days=9, step=2)
    await keep(stage, 10, "redriven", days=9, step=0.5)
    await keep(stage, 11, "redriven", days=0.5, step=0.1)
    await stage.ask("DELETE FROM outbox")
    sweeper, metrics = retention(stage)
    assert await sweeper.sweep() is None
    assert await left(stage) == [0, 1, 10, 11]
    assert metrics.registry.get_sample_value("ticketing_dead_letters_removed_total") == 3
    await sweeper.sweep()
    assert await left(stage) == [0, 1, 10, 11]


async def test_what_is_not_passed_on_yet_stays(stage: BatchStage) -> None:
    await keep(stage, 0, "discarded", days=9, step=2)
    sweeper, _ = retention(stage)
    await sweeper.sweep()
    assert await left(stage) == [0]
    await stage.ask("DELETE FROM outbox")
    await sweeper.sweep()
    assert await left(stage) == []


async def test_it_goes_on_past_what_stays(stage: BatchStage) -> None:
    for offset in range(9):
        state = "dead" if offset % 3 == 0 else "discarded"
        await keep(stage, offset, state, days=20 - offset, step=2)
    await stage.ask("DELETE FROM outbox")
    sweeper, _ = retention(stage, portion=2)
    await sweeper.sweep()
    assert await left(stage) == [0, 3, 6]


async def test_what_somebody_holds_is_left_for_the_next_time(stage: BatchStage) -> None:
    await keep(stage, 0, "discarded", days=9, step=2)
    await keep(stage, 1, "discarded", days=9, step=2)
    await stage.ask("DELETE FROM outbox")
    sweeper, _ = retention(stage)
    async with stage.transaction() as connection:
        await connection.execute('SELECT FROM dead_letters WHERE "offset" = 0 FOR UPDATE')
        await sweeper.sweep()
    assert await left(stage) == [0]
    await sweeper.sweep()
    assert await left(stage) == []


def test_they_are_kept_for_ever_unless_somebody_says_for_how_long() -> None:
    assert letters_kept(Settings(_env_file=None)) is None
    assert letters_kept(Settings(_env_file=None, dlq_retention_days=0.5)) == timedelta(hours=12)
