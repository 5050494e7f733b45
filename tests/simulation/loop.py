"""An event loop with a time of its own: nothing sleeps, and the order of all steps is determined.

Every callback belongs to a simulated process, by its context. What belongs to a dead one never
runs; what belongs to a frozen one waits until it is thawed, with everything that was due meanwhile,
as after SIGSTOP and SIGCONT.
"""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST_CANCELLATIONS: Final = 1_000

MOST_STEPS: Final = 2_000_000
"""So many callbacks mean that somebody turns in a circle without time going by."""


class TurnsInCircles(AssertionError):
    """The loop ran {steps} callbacks."""


class SimulatedProcess:
    """What dies, stands still and goes on as one.

    is_gone: it is being cleared away; whatever it still asks of the world fails.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_gone = False
        self.is_frozen = False
        self.held: list[events.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []


PROCESS: Final[ContextVar[SimulatedProcess | None]] = ContextVar("process", default=None)


class NumberedTask(asyncio.Task[T]):
    """Hashed by its number, so that a set of tasks has the same order in every run."""

    number: int

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Time stands still while anything can run, and then jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._tasks_made = 0
        self.steps = 0
        self.set_task_factory(self._make_task)  # type: ignore[arg-type] # typeshed's takes no name

    def time(self) -> float:
        return self._now

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, T],
        **named: Any,  # noqa: ANN401  what asyncio gives a task
    ) -> NumberedTask[T]:
        self._tasks_made += 1
        number = self._tasks_made
        task = NumberedTask.__new__(NumberedTask)
        task.number = number  # its own `__init__` puts it into a set
        task.__init__(coro, loop=loop, **named)  # type: ignore[misc] # as late as possible
        context: Context | None = named.get("context")
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.tasks.append(task)
        return task

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined] # asyncio's own
        if not ready:
            self._jump(timers)
        while timers and timers[0]._when <= self._now:  # noqa: SLF001  as asyncio does it
            timer = heapq.heappop(timers)
            timer._scheduled = False  # noqa: SLF001  likewise
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001  likewise
                self._step(handle)

    def _jump(self, timers: list[Any]) -> None:
        while timers and timers[0]._cancelled:  # noqa: SLF001  as asyncio does it
            timer = heapq.heappop(timers)
            timer._scheduled = False  # noqa: SLF001  likewise
        if timers:
            self._now = max(self._now, timers[0]._when)  # noqa: SLF001  likewise
        elif not self._stopping:  # type: ignore[attr-defined] # asyncio's own
            raise RuntimeError("nothing is left that could ever happen")

    def _step(self, handle: events.Handle) -> None:
        process: SimulatedProcess | None = handle._context.get(PROCESS)  # type: ignore[attr-defined] # noqa: SLF001  whose it is
        if process is not None and (process.is_dead or process.is_frozen):
            process.held.append(handle)
            return
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TurnsInCircles(self.steps)
        handle._run()  # noqa: SLF001  as asyncio does it

    def freeze(self, process: SimulatedProcess) -> None:
        """Let it stand still, as SIGSTOP does."""
        process.is_frozen = True

    def thaw(self, process: SimulatedProcess) -> None:
        """Let it go on: first what it would have done, then what was due meanwhile."""
        process.is_frozen = False
        self._ready.extend(process.held)  # type: ignore[attr-defined] # asyncio's own
        process.held = []

    async def clear_away(self, processes: Sequence[SimulatedProcess]) -> None:
        """End every coroutine of these, so that none is left for the garbage collector."""
        for process in processes:
            process.is_gone, process.is_dead = True, False
            self.thaw(process)
        for _ in range(MOST_CANCELLATIONS):
            tasks = [each for process in processes for each in process.tasks if not each.done()]
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0.01)
        raise AssertionError(f"these never end: {tasks}")

    def call_in(self, process: SimulatedProcess, callback: Callable[[], object]) -> None:
        """Have it run as a part of this process."""
        context = Context()
        context.run(PROCESS.set, process)
        self.call_soon(callback, context=context)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: nothing here is connected to anything."""

    def _write_to_self(self) -> None:
        """No other thread ever calls."""
