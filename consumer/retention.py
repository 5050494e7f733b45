"""Dead letters that somebody has decided about are removed once they are old enough.

Those that nobody has decided about stay, whatever their age: they may be the only trace of what a
customer asked for.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from consumer.metrics import Metrics
from consumer.transaction import transaction
from db.letter_retention import Removed, remove

LONGEST_SLEEP_SECONDS: Final = 600.0
"""Between two looks: retention is a matter of days."""

PORTION: Final = 500
"""Letters of one transaction: their values may be megabytes long, but are not read."""

log = structlog.get_logger()


class Retention:
    """Removes what has been over for so long; any number of processes may do so at once."""

    def __init__(
        self,
        *,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        metrics: Metrics,
        kept: timedelta,
        portion: int = PORTION,
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._kept = kept
        self._portion = portion

    async def sweep(self) -> float | None:
        """Remove everything that is over, portion by portion; when to look again is not known."""
        total = 0
        reached: datetime | None = None
        while True:
            letters, last = await self._remove(reached)
            total += letters
            reached = last or reached
            if letters < self._portion:
                break
        if total:
            self._metrics.dead_letters_removed.inc(total)
            log.info("letters.removed", letters=total)
        return None

    async def _remove(self, reached: datetime | None) -> Removed:
        async with transaction(self._pool) as connection:
            return await remove(connection, self._kept, reached, self._portion)
