"""One server process under a guard, and what else can stand in its place."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from devstack import guard

READY_SECONDS = 90.0
END_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LOG_LINES_SHOWN = 15


class ServerFailed(Exception):
    """A server ended or did not answer; the message names it and ends with its last lines."""


class NotOurs(Exception):
    """A server given by its address can't be stopped, started or measured by us."""


class Server(Protocol):
    """What Kafka and PostgreSQL need from the thing that runs them."""

    @property
    def pid(self) -> int:
        """The process whose tree does the server's work."""

    def start(self) -> None: ...

    def stop(self, number: signal.Signals) -> None:
        """Send the signal and return when the process has ended."""

    def failure(self) -> str | None:
        """None while it runs, else its last words."""

    def close(self) -> None:
        """End it and remove its data."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    """Somebody else's server, known by its address alone."""

    variable: str

    @property
    def pid(self) -> int:
        raise self._not_ours()

    def start(self) -> None:
        raise self._not_ours()

    def stop(self, number: signal.Signals) -> None:  # noqa: ARG002  the protocol's signature
        raise self._not_ours()

    def failure(self) -> str | None:
        return None

    def close(self) -> None:
        return

    def _not_ours(self) -> NotOurs:
        return NotOurs(
            f"The server given by {self.variable} isn't ours to control: "
            "ask devstack for a separate one."
        )


class GuardedServer:
    """A process that ends with us, even when we are killed; its directory lives as long."""

    def __init__(
        self, name: str, *, end_signal: signal.Signals, end_seconds: float = END_SECONDS
    ) -> None:
        """At the end the process gets `end_signal`, and SIGKILL `end_seconds` later."""
        self._name = name
        self._talking = threading.Lock()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, str(int(end_signal)), str(end_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C in the terminal is for us to handle
        )
        self.directory = Path(self._read_line().strip())
        self.argv: list[str] = []
        self.user: int | None = None
        self._pid: int | None = None

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def pid(self) -> int:
        if self._pid is None:
            raise ServerFailed(f"{self._name} isn't running.")
        return self._pid

    def start(self) -> None:
        reply = self._ask(do="start", argv=self.argv, log=str(self.log), user=self.user)
        if "error" in reply:
            raise ServerFailed(f"{self._name} did not start: {reply['error']}.")
        self._pid = reply["pid"]

    def stop(self, number: signal.Signals) -> None:
        self._ask(do="stop", number=int(number))
        self._pid = None

    def failure(self) -> str | None:
        exit_code = self._ask(do="poll")["exit"]
        if exit_code is None:
            return None
        lines = self.log.read_text(errors="replace").splitlines()
        return f"{self._name} ended with {exit_code}:\n" + "\n".join(lines[-_LOG_LINES_SHOWN:])

    def close(self) -> None:
        with self._talking:
            self._guard.communicate()

    def _ask(self, **request: object) -> dict[str, Any]:
        with self._talking:
            if self._guard.stdin is None:
                raise ServerFailed(f"{self._name}'s guard has no input.")
            self._guard.stdin.write(json.dumps(request) + "\n")
            self._guard.stdin.flush()
            reply: dict[str, Any] = json.loads(self._read_line())
            return reply

    def _read_line(self) -> str:
        line = self._guard.stdout.readline() if self._guard.stdout else ""
        if not line:
            raise ServerFailed(f"{self._name}'s guard has ended.")
        return line


def wait_until_ready(name: str, server: Server, answers: Callable[[], bool]) -> None:
    """Raises ServerFailed at once when the process ends, or after READY_SECONDS of silence."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers():
        if failure := server.failure():
            raise ServerFailed(failure)
        if time.monotonic() > deadline:
            raise ServerFailed(f"{name} did not answer within {READY_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
