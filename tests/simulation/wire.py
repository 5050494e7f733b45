"""Between a process and its servers: everything takes its time, and anything may go wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from inspect import isawaitable
from random import Random
from typing import Any, Final, TypeVar, cast

from tests.simulation.chaos import Chaos, Fault, Kind
from tests.simulation.loop import SimulatedLoop, SimulatedProcess
from tests.simulation.trace import Trace

T = TypeVar("T")

Errors = Callable[[Kind], BaseException]
"""What the client raises where the connection is lost, or the server refuses."""

LONGEST_SILENCE: Final = 25.0
"""How long a frozen process that waits for a change of the lease stands still at most."""


LONGEST_DELAY: Final = 8.0
"""How long a request that waits for a change of the lease is on its way at most."""


class Gone(BaseException):
    """A dead process asks for something."""


@dataclass(slots=True)
class Wire:
    """on_kill, on_freeze: what the servers notice of it."""

    loop: SimulatedLoop
    random: Random
    chaos: Chaos
    trace: Trace
    on_kill: Callable[[SimulatedProcess], None]
    on_freeze: Callable[[SimulatedProcess], None]
    waiting_for_lease: list[SimulatedProcess] = field(default_factory=list)
    _moves: list[asyncio.Future[None]] = field(default_factory=list)

    async def call(
        self,
        process: SimulatedProcess,
        step: str,
        act: Callable[[], Awaitable[T] | T],
        errors: Errors,
        *,
        ends_at_once: bool = False,
    ) -> T:
        """Have a server do something, unless a fault befalls it.

        ends_at_once: what it does is done in the client, and nothing comes between it and the
        caller.
        """
        if process.is_gone:
            raise Gone
        fault = self.chaos.strike(step, self.loop.time())
        delay, is_before = self.delay(), self.random.random() < 0.5
        if ends_at_once:
            is_before = True
            if fault is not None and fault.kind in {Kind.FREEZE, Kind.STALL}:
                fault = fault._replace(is_late=False)
        if is_before:
            await asyncio.sleep(delay)
        has_left = False
        if fault is not None and not fault.is_late:
            has_left = fault.kind is Kind.FREEZE and not ends_at_once and self.random.random() < 0.6
            if not has_left:
                await self._befall(process, step, fault, errors)
        if has_left:
            result = await self._left(process, step, act)
        else:
            self.trace.note(process.name, step)
            result = await _done(act)
        if fault is not None and fault.is_late:
            await self._befall(process, step, fault, errors)
        if not is_before:
            await asyncio.sleep(delay)
        return result

    async def _left(
        self, process: SimulatedProcess, step: str, act: Callable[[], Awaitable[T] | T]
    ) -> T:
        """Freeze it once its request has left: that arrives, and is answered to nobody."""

        async def arrive() -> T:
            if self.random.random() < 0.7:
                await self._lease_moves()
                await asyncio.sleep(self.random.random() * 0.03)
            else:
                await asyncio.sleep(self.delay())
            self.trace.note(process.name, f"{step}, which had left")
            return await _done(act)

        self.trace.note(process.name, f"! freeze while {step} is on its way")
        arriving = self.loop.create_task(arrive(), context=Context())
        self.freeze(process)
        await asyncio.sleep(0)
        return await arriving

    async def _lease_moves(self) -> None:
        """Or has not for longer than it lasts."""
        moved: asyncio.Future[None] = self.loop.create_future()
        self._moves.append(moved)
        try:
            async with asyncio.timeout(LONGEST_DELAY):
                await moved
        except TimeoutError:
            return

    def delay(self) -> float:
        """Mostly some milliseconds; now and then so long that others overtake."""
        scale = 0.2 if self.random.random() < 0.04 else 0.006
        return self.random.random() * scale

    async def _befall(
        self, process: SimulatedProcess, step: str, fault: Fault, errors: Errors
    ) -> None:
        moment = "after" if fault.is_late else "before"
        self.trace.note(process.name, f"! {fault.kind} {moment} {step}")
        match fault.kind:
            case Kind.KILL:
                self.kill(process)
                await self.loop.create_future()  # for ever
            case Kind.FREEZE:
                self.freeze(process)
                await asyncio.sleep(0)
            case Kind.STALL:
                await asyncio.sleep(self.random.uniform(0.3, 12.0))
            case _:
                raise errors(fault.kind)

    def kill(self, process: SimulatedProcess) -> None:
        process.is_dead = True
        self.on_kill(process)

    def freeze(self, process: SimulatedProcess) -> None:
        """For a moment, for longer than sessions last, or until somebody else has the lease."""
        self.loop.freeze(process)
        self.on_freeze(process)
        match self.random.randrange(4):
            case 0:
                self.later(self.random.uniform(0.05, 3.0), self.loop.thaw, process)
            case 1:
                self.later(self.random.uniform(4.0, 14.0), self.loop.thaw, process)
            case _:
                self.waiting_for_lease.append(process)
                self.later(LONGEST_SILENCE, self._wake, process)

    def lease_moved(self) -> None:
        """Let go on who waits for this moment: just before, or after, the next holder looks."""
        for moved in self._moves:
            if not moved.done():
                moved.set_result(None)
        self._moves.clear()
        waiting, self.waiting_for_lease[:] = list(self.waiting_for_lease), []
        for process in waiting:
            self.later(
                self.random.choice((0.0, 0.02, 0.08, 0.4)) * self.random.random(),
                self.loop.thaw,
                process,
            )

    def _wake(self, process: SimulatedProcess) -> None:
        if process in self.waiting_for_lease:
            self.waiting_for_lease.remove(process)
            self.loop.thaw(process)

    def later(self, seconds: float, act: Callable[..., object], *arguments: Any) -> None:  # noqa: ANN401  the act's own
        """On a server, whatever becomes of the processes."""
        self.loop.call_later(seconds, act, *arguments, context=Context())


async def _done(act: Callable[[], Awaitable[T] | T]) -> T:
    answer = act()
    return cast("T", await answer if isawaitable(answer) else answer)
