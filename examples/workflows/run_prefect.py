"""Onboarding on Prefect, start to end: `python -m examples.workflows.run_prefect`."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from devstack.server import GuardedServer, wait_until_ready
from examples.workflows import onboarding
from examples.workflows.lead import EXAMPLE, Onboarded
from examples.workflows.own_database import own_database
from examples.workflows.prefect_server import Prefect, prefect_server
from examples.workflows.sessions import sessions
from examples.workflows.worker_process import add_environment, worker_process

PROGRAM = "examples.workflows.onboarding_prefect"
DEPLOYMENT = "onboard-customer/onboarding"


@contextmanager
def worker(prefect: Prefect, url: str) -> Iterator[GuardedServer]:
    """A worker that serves the flow while the block lasts."""
    process = worker_process("Prefect's worker", str(prefect.python), "-m", PROGRAM, "worker")
    add_environment(process, {**prefect.settings, "ONBOARDING_DATABASE_URL": url})
    try:
        process.start()
        wait_until_ready(
            "Prefect's worker", process, lambda: prefect.answers(f"deployments/name/{DEPLOYMENT}")
        )
        yield process
    finally:
        process.close()


def command(prefect: Prefect, word: str) -> str:
    """Run `onboarding_prefect WORD` in Prefect's environment; returns what it printed."""
    done = subprocess.run(
        [prefect.python, "-m", PROGRAM, word],
        env=prefect.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


async def show(url: str, done: Onboarded) -> None:
    async with sessions(url) as session_of:
        await onboarding.show(session_of, EXAMPLE, done)


def main() -> None:
    with own_database() as url, prefect_server() as prefect, worker(prefect, url):
        done = Onboarded(**json.loads(command(prefect, "start")))
        asyncio.run(show(url, done))


if __name__ == "__main__":
    main()
