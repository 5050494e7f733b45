"""The examples that tell a ticket's story through Kafka, run as a reader runs them."""

import asyncio
import os
import sys
from pathlib import Path

from devstack.machine import DATABASE_VARIABLE, KAFKA_VARIABLE
from devstack.stack import Stack
from tests.scenarios.world import PATIENCE_SECONDS, World

CHECKOUT = Path(__file__).resolve().parent.parent.parent


async def told_to(world: World, program: str) -> str:
    """What the program prints when it is pointed to the world's service."""
    return await _run(program, {}, "--kafka", world.kafka, "--topic-prefix", world.prefix)


async def told_alone(stack: Stack, program: str) -> str:
    """What the program prints when it starts the service itself, on the servers of these tests."""
    servers = {DATABASE_VARIABLE: stack.postgres.url, KAFKA_VARIABLE: stack.kafka.bootstrap_servers}
    return await _run(program, servers)


async def _run(program: str, variables: dict[str, str], *words: str) -> str:
    rest = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, *words),
        cwd=CHECKOUT,
        env=rest | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, errors.decode()) == (0, ""), output.decode()
    return output.decode()
