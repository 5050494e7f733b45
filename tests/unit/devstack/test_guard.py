"""A guard ends its server and removes its data, however the parent ends.

Two pipes tell the end without waiting for time: a FIFO that every process of the server holds, and
the parent's standard error, which the guard shares. Each reads as ended when its last holder is
gone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.server import GuardedServer, ServerFailed

PARENT = """
import signal, sys
from devstack.server import GuardedServer
server = GuardedServer("Sleeper", end_signal=signal.SIGTERM, end_seconds=0.1)
server.argv = ["/bin/sh", "-c", sys.argv[1]]
server.start()
print(server.directory, flush=True)
sys.stdin.read()
"""
# Both have a child, so that a whole process group has to go.
OBEDIENT = "exec 3>{fifo}; sleep 1000 & echo ready >&3; wait"
STUBBORN = "trap '' TERM; exec 3>{fifo}; sleep 1000 & echo ready >&3; wait; wait"
SECONDS = 30


@contextmanager
def parent_of(server: str, fifo: Path) -> Iterator[subprocess.Popen[str]]:
    os.mkfifo(fifo)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, server.format(fifo=fifo)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        yield parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("server", [OBEDIENT, STUBBORN])
def test_nothing_is_left_after_the_parents_end(
    server: str, number: signal.Signals, tmp_path: Path
) -> None:
    fifo = tmp_path / "held"
    with parent_of(server, fifo) as parent, fifo.open() as held:
        assert held.readline() == "ready\n"
        assert parent.stdout is not None
        directory = Path(parent.stdout.readline().strip())
        assert directory.is_dir()

        parent.send_signal(number)

        assert held.read() == ""  # every process of the server has ended
        parent.communicate(timeout=SECONDS)  # and so has the guard
    assert not directory.exists()


def test_a_parent_that_ends_in_order_leaves_nothing_either(tmp_path: Path) -> None:
    fifo = tmp_path / "held"
    with parent_of(OBEDIENT, fifo) as parent, fifo.open() as held:
        assert held.readline() == "ready\n"
        directory, said = parent.communicate("", timeout=SECONDS)
        assert held.read() == ""
    assert said == ""
    assert not Path(directory.strip()).exists()


@pytest.fixture
def sleeper() -> Iterator[GuardedServer]:
    server = GuardedServer("Sleeper", end_signal=signal.SIGKILL)
    server.argv = ["/bin/sleep", "1000"]
    yield server
    server.close()


def test_a_server_is_another_process_after_each_start_in_the_same_directory(
    sleeper: GuardedServer,
) -> None:
    sleeper.start()
    first, kept = sleeper.pid, sleeper.directory / "kept"
    kept.touch()
    sleeper.stop(signal.SIGTERM)
    sleeper.start()
    assert sleeper.pid != first
    assert sleeper.failure() is None
    assert kept.exists()


def test_a_stopped_server_has_no_process(sleeper: GuardedServer) -> None:
    sleeper.start()
    sleeper.stop(signal.SIGTERM)
    with pytest.raises(ServerFailed, match="Sleeper isn't running"):
        _ = sleeper.pid


def test_a_program_that_does_not_exist_fails_by_its_name(sleeper: GuardedServer) -> None:
    sleeper.argv = ["/no/such/program"]
    with pytest.raises(ServerFailed, match=r"Sleeper did not start: .*/no/such/program"):
        sleeper.start()


def test_a_server_that_ends_says_its_last_words(sleeper: GuardedServer, tmp_path: Path) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    sleeper.argv = ["/bin/sh", "-c", f"echo out of ink; exec 3>{fifo}; exit 3"]
    sleeper.start()
    fifo.read_text()  # returns when the program has closed it by ending
    sleeper.stop(signal.SIGTERM)
    assert sleeper.failure() == "Sleeper ended with 3:\nout of ink"
