"""A worker as a process of its own, which ends with us and can be killed and started again."""

import signal
from collections.abc import Mapping

from devstack.fetch import CACHE
from devstack.server import GuardedServer

CHECKOUT = CACHE.parent


def worker_process(name: str, *argv: str) -> GuardedServer:
    """Not started yet; the checkout is importable in it."""
    process = GuardedServer(name, end_signal=signal.SIGTERM)
    process.argv = ["env", f"PYTHONPATH={CHECKOUT}", *argv]
    return process


def add_environment(process: GuardedServer, variables: Mapping[str, str]) -> None:
    process.argv[1:1] = [f"{name}={value}" for name, value in variables.items()]
