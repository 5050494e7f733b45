"""What a process can know of its own death: a task ended, the loop stood still, nothing moves."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context

import structlog

from consumer import clock
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics

PATIENCE_SECONDS = 90.0
"""How long work may wait, both dependencies answering, before we call ourselves stuck: longer than
a rebalance (60 s), since a member that waits for the others isn't stuck."""

PERIOD_SECONDS = 5.0
"""How often the log hears of who began or ceased to stand still."""

STALL_SECONDS = 2.0
"""A loop that stands still for so long misses heartbeats soon."""

log = structlog.get_logger()


class Pulse:
    """One activity's progress, as it reports it itself."""

    def __init__(self, name: str, seconds: Callable[[], float]) -> None:
        self.name = name
        self._seconds = seconds
        self._idle_or_moved_at = seconds()
        self._has_work = False

    def moved(self) -> None:
        """Something was finished."""
        self._idle_or_moved_at = self._seconds()

    def has_work(self, *, waiting: bool) -> None:
        """Say whether there is anything left to do: standing still without work is rest."""
        if waiting and not self._has_work:
            self._idle_or_moved_at = self._seconds()
        self._has_work = waiting

    def seconds_stuck(self) -> float:
        """Return for how long there was work and nothing moved."""
        return self._seconds() - self._idle_or_moved_at if self._has_work else 0.0


class Watchdog:
    """Gathers the reasons why /livez should be red; it restarts nothing itself."""

    def __init__(
        self,
        dependencies: Dependencies,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._dependencies = dependencies
        self._patience = patience_seconds
        self._seconds = seconds
        self._pulses: list[Pulse] = []
        self._tasks: list[asyncio.Task[object]] = []
        self._told: set[str] = set()

    def pulse(self, name: str) -> Pulse:
        """Make the pulse that the activity `name` keeps."""
        made = Pulse(name, self._seconds)
        self._pulses.append(made)
        return made

    def watch(self, task: asyncio.Task[object]) -> None:
        """Count this task's end as our death: it is meant to live as long as the process."""
        self._tasks.append(task)

    def problems(self) -> list[str]:
        """Return why this process is as good as dead; empty where it lives."""
        ended = [f"the task {task.get_name()} ended" for task in self._tasks if task.done()]
        return ended + [_reason(pulse) for pulse in self._stuck()]

    async def run(self) -> None:
        """Tell the log, for ever: an orchestrator that kills us leaves nothing else behind."""
        while True:
            self.look()
            await asyncio.sleep(PERIOD_SECONDS)

    def look(self) -> None:
        """One line when an activity begins to stand still, with the reason; one when it moves."""
        stuck = {pulse.name: pulse for pulse in self._stuck()}
        for name in stuck.keys() - self._told:
            log.error("activity.stuck", activity=name, reason=_reason(stuck[name]))
        for name in self._told - stuck.keys():
            log.info("activity.moved_again", activity=name)
        self._told = set(stuck)

    def _stuck(self) -> list[Pulse]:
        answering = self._dependencies.seconds_answering()
        return [
            pulse
            for pulse in self._pulses
            if min(pulse.seconds_stuck(), answering) >= self._patience
        ]


def _reason(pulse: Pulse) -> str:
    return (
        f"{pulse.name} has stood still for {pulse.seconds_stuck():.0f} s, although there is"
        " work and both dependencies answer"
    )


@contextmanager
def loop_watched(metrics: Metrics, *, limit_seconds: float = STALL_SECONDS) -> Iterator[None]:
    """Log where the running event loop stands still, from a thread; a probe gets no answer then."""
    stop = threading.Event()
    thread = threading.Thread(
        target=copy_context().run,  # its log lines name the worker too
        args=(
            _watch_loop,
            asyncio.get_running_loop(),
            threading.get_ident(),
            stop,
            metrics,
            limit_seconds,
        ),
        name="loop-watch",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _watch_loop(
    loop: asyncio.AbstractEventLoop,
    thread_id: int,
    stop: threading.Event,
    metrics: Metrics,
    limit_seconds: float,
) -> None:
    """Ask the loop for a sign of life, again and again; one line for each time it gives none."""
    while not stop.is_set():
        answered = threading.Event()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed
            return
        asked_at = clock.seconds()
        if not answered.wait(limit_seconds):
            metrics.loop_stalls.inc()
            log.error("loop.stood_still", seconds=limit_seconds, stack=_stack(thread_id))
            while not answered.wait(limit_seconds):
                if stop.is_set():
                    return
            log.info("loop.moved_again", seconds=round(clock.seconds() - asked_at, 3))
        stop.wait(limit_seconds / 2)


def _stack(thread_id: int) -> list[str]:
    """Return where the loop's thread is, innermost last."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - the only way to see another thread
    return [
        f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_stack(frame)[-8:]
    ]
