"""The way out: SIGTERM or SIGINT asks, time presses, a second signal ends it at once.

What was begun is finished within the first part of SHUTDOWN_SECONDS; then `expired` tells whoever
still works to give up; when all of it is over the process ends, whatever it does. Giving up loses
nothing: what was not committed is read again.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Self

import structlog

SHARE_FOR_FINISHING = 0.8
URGENT_WHEN_REPEATED = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*URGENT_WHEN_REPEATED, signal.SIGHUP)
"""SIGHUP (the terminal or the parent is gone) asks too, but never ends at once."""

EXIT_OF_A_SIGNAL = 128
EXIT_AFTER_EXPIRY = 1

log = structlog.get_logger()


class Shutdown:
    """One request to stop, however often it is made. Enter it inside the running loop."""

    def __init__(self, seconds: float, *, leave: Callable[[int], object] = os._exit) -> None:
        self.requested = asyncio.Event()
        self.expired = asyncio.Event()
        self.reason: str | None = None
        self._seconds = seconds
        self._leave = leave
        self._timers: list[asyncio.TimerHandle] = []
        self._last_resort = threading.Timer(seconds, self._end, (EXIT_AFTER_EXPIRY,))
        self._last_resort.daemon = True

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for each in SIGNALS:
            loop.add_signal_handler(each, self._on_signal, each)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for each in SIGNALS:
            loop.remove_signal_handler(each)
        for timer in self._timers:
            timer.cancel()
        self._last_resort.cancel()

    def request(self, reason: str) -> None:
        """Ask the process to finish and leave; asking again changes nothing."""
        if self.requested.is_set():
            return
        log.info("shutdown.requested", reason=reason, seconds=self._seconds)
        self.reason = reason
        self.requested.set()
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(self._seconds * SHARE_FOR_FINISHING, self._expire))
        self._last_resort.start()  # a thread: it must work while the loop stands still

    def _on_signal(self, which: signal.Signals) -> None:
        if self.requested.is_set() and which in URGENT_WHEN_REPEATED:
            log.warning("shutdown.forced", reason=which.name)
            self._end(EXIT_OF_A_SIGNAL + which)
            return
        self.request(which.name)

    def _expire(self) -> None:
        log.warning("shutdown.expired", seconds=self._seconds * SHARE_FOR_FINISHING)
        self.expired.set()

    def _end(self, code: int) -> None:
        sys.stderr.flush()
        self._leave(code)
