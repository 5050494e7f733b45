"""Prefect on this machine: an environment of its own, and a server that talks to nobody else.

Its more than a hundred packages stay out of the project's environment. The environment is made
from requirements-prefect.lock when it is first wanted, in the checkout's cache.
"""

import fcntl
import os
import subprocess
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.request import urlopen

from devstack.choice import ServerMissing
from devstack.fetch import CACHE
from devstack.ports import free_port
from devstack.server import wait_until_ready
from examples.workflows.worker_process import CHECKOUT, add_environment, worker_process

LOCK = CHECKOUT / "requirements-prefect.lock"


@dataclass(frozen=True, slots=True)
class Prefect:
    """A running server. Programs find it when `python` runs them with `settings` as variables."""

    python: Path
    address: str
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Our own environment and the settings."""
        return {**os.environ, **self.settings, "PYTHONPATH": str(CHECKOUT)}

    def answers(self, path: str) -> bool:
        """Whether the server has something at this path of its API."""
        try:
            with urlopen(f"{self.address}/{path}", timeout=2):  # noqa: S310  http, as made below
                return True
        except OSError:
            return False


def prefect_python() -> Path:
    """The interpreter of Prefect's environment, made first where it isn't there yet.

    Raises ServerMissing when its packages can't be had.
    """
    CACHE.mkdir(exist_ok=True)
    home = CACHE / f"prefect-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    python, finished = home / "bin" / "python", home / "finished"
    with (CACHE / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second finds it finished
        if not finished.exists():
            venv.create(home, clear=True, with_pip=True)
            _install(python)
            finished.touch()
    return python


def _install(python: Path) -> None:
    done = subprocess.run(
        [
            *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--requirement", LOCK),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerMissing(f"Prefect's environment could not be made:\n{done.stderr.strip()}")


@contextmanager
def prefect_server() -> Iterator[Prefect]:
    """A server with data of its own, running while the block lasts, or until this process dies."""
    python, port = prefect_python(), free_port()
    arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = worker_process("Prefect's server", str(python), "-m", "prefect", *arguments)
    address = f"http://127.0.0.1:{port}/api"
    prefect = Prefect(python, address, _settings(process.directory, address))
    add_environment(process, prefect.settings)
    try:
        process.start()
        wait_until_ready("Prefect's server", process, lambda: prefect.answers("health"))
        yield prefect
    finally:
        process.close()


def _settings(home: Path, address: str) -> dict[str, str]:
    """home: where Prefect keeps its data and its flows' results."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": address,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
