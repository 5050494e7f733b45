"""One relay at a time: the lease is taken, renewed, and given up before the database says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import structlog

from consumer import clock
from consumer.dependencies import Dependencies, is_absence
from consumer.transaction import lent
from db import lease
from db.lease import Lease, LeaseLost

RELAY = "relay"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """In seconds. patience: how long a holder that gets nothing done keeps others from trying."""

    lease: float = 5.0
    renew: float = 1.0
    patience: float = 10.0


class Leadership:
    """The right to publish, as this process knows it."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        dependencies: Dependencies,
        *,
        holder: str,
        times: LeaseTimes,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._pool = pool
        self._dependencies = dependencies
        self._holder = holder
        self._times = times
        self._seconds = seconds
        self._ours_until = float("-inf")
        self._progressed_at = 0.0
        self._lease = Lease(RELAY, holder, 0)

    def require(self) -> None:
        """Raise LeaseLost unless the lease is certainly still ours.

        Another may have started since, when this process was stopped and continued.
        """
        if self._seconds() >= self._ours_until:
            raise LeaseLost(self._lease)

    def progressed(self) -> None:
        """Something got done, or there was nothing to do."""
        self._progressed_at = self._seconds()

    async def take(self) -> Lease | None:
        """Try once; None while another holds it. Waits for the database."""
        found: Lease | None = await self._dependencies.retrying("database", self._acquire)
        if found is not None:
            self._lease = found
            self.progressed()
        return found

    async def keep(self, on_lost: Callable[[], None]) -> None:
        """Renew until the lease is lost; then call on_lost at once and raise LeaseLost."""
        try:
            while True:
                await asyncio.sleep(min(self._times.renew, self._left()))
                self._require_progress()
                await self._renew()
        except LeaseLost:
            self._ours_until = float("-inf")
            on_lost()
            raise

    async def release(self) -> None:
        """Let the next one start at once, if the database answers at once."""
        self._ours_until = float("-inf")
        try:
            async with asyncio.timeout(self._times.renew), lent(self._pool) as connection:
                await lease.release(connection, self._lease)
        except Exception as error:
            if not is_absence("database", error):
                raise
            log.warning("lease.not_released", fence=self._lease.fence, reason=type(error).__name__)

    async def _acquire(self) -> Lease | None:
        asked_at = self._seconds()
        async with asyncio.timeout(self._times.lease), lent(self._pool) as connection:
            found = await lease.acquire(connection, RELAY, self._holder, seconds=self._times.lease)
        if found is not None:
            self._ours_until = asked_at + self._times.lease
        return found

    async def _renew(self) -> None:
        """Count from before the question: the database counts from when it read it."""
        self.require()
        asked_at = self._seconds()
        try:
            async with asyncio.timeout(self._left()), lent(self._pool) as connection:
                await lease.renew(connection, self._lease, seconds=self._times.lease)
        except LeaseLost:
            raise
        except Exception as error:
            if not is_absence("database", error):
                raise
            self._dependencies.down("database", error)
            self.require()
        else:
            self._ours_until = asked_at + self._times.lease

    def _require_progress(self) -> None:
        """Who gets nothing done makes room: perhaps another can reach the broker."""
        if self._seconds() - self._progressed_at > self._times.patience:
            log.warning("lease.given_up", reason="nothing got done", fence=self._lease.fence)
            raise LeaseLost(self._lease)

    def _left(self) -> float:
        return max(0.0, self._ours_until - self._seconds())
