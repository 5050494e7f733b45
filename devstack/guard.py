"""Runs one server on behalf of a parent that may die at any moment.

A program of its own (`python guard.py END_SIGNAL END_SECONDS`), stdlib only. It makes the
server's directory, prints its path, and then answers one JSON line with another. When its input
ends, its parent is gone or it is told to terminate, it ends the server and removes the directory.
Only the parent's end of the pipe keeps both alive: a SIGKILL of the parent leaves nothing behind.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STOP_SECONDS = 60.0
PARENT_CHECK_SECONDS = 1.0


def _die_with_the_guard() -> None:
    """Linux only: the server is killed when this process is, however that happens."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


@dataclass(slots=True)
class Guard:
    directory: Path
    end_signal: signal.Signals
    end_seconds: float
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self, *, argv: list[str], log: str, user: int | None) -> dict[str, Any]:
        """`user` is a numeric user and group to run as, None for the guard's own."""
        with Path(log).open("ab") as output:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                process_group=0,
                preexec_fn=_die_with_the_guard,  # noqa: PLW1509  the guard has a single thread
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        return {"pid": self.process.pid}

    def poll(self) -> dict[str, Any]:
        return {"exit": None if self.process is None else self.process.poll()}

    def stop(self, *, number: int) -> dict[str, Any]:
        return {"exit": self._end(signal.Signals(number), STOP_SECONDS)}

    def close(self) -> None:
        self._end(self.end_signal, self.end_seconds)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, number: signal.Signals, seconds: float) -> int | None:
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        os.killpg(self.process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no such group, or all dead
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


def answer_requests(guard: Guard) -> None:
    """Returns when the input has ended or the parent has changed (a fork may hold the pipe)."""
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "start": guard.start,
        "poll": guard.poll,
        "stop": guard.stop,
    }
    parent = os.getppid()
    while os.getppid() == parent:
        if not select.select([sys.stdin], [], [], PARENT_CHECK_SECONDS)[0]:
            continue
        line = sys.stdin.readline()
        if not line:
            return
        request = json.loads(line)
        try:
            reply = commands[request.pop("do")](**request)
        except OSError as error:
            reply = {"error": str(error)}
        print(json.dumps(reply), flush=True)  # noqa: T201  standard output is the answer's way


def _terminate(_number: int, _frame: object) -> None:
    sys.exit(1)


def main() -> None:
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, _terminate)
    home = "/var/tmp" if os.access("/var/tmp", os.W_OK) else None  # noqa: S108  a disk: fsync counts
    directory = Path(tempfile.mkdtemp(prefix="ticketing-devstack-", dir=home))
    guard = Guard(directory, signal.Signals(int(sys.argv[1])), float(sys.argv[2]))
    try:
        print(directory, flush=True)  # noqa: T201  the first answer
        answer_requests(guard)
    except BrokenPipeError:
        os.close(sys.stdout.fileno())  # the parent is gone: nobody to tell, and nothing to flush
    finally:
        guard.close()


if __name__ == "__main__":
    main()
