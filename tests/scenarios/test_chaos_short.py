"""`make chaos` in short: some quick faults, one after the other, under load."""

import asyncio
import os
import sys

from tests.scenarios.world import PATIENCE_SECONDS

QUICK = ("cut in mid-message", "retention deletes")


async def test_quick_faults_one_after_the_other() -> None:
    """A table is printed at the end, and the exit code says that every promise was kept."""
    words = [word for text in QUICK for word in ("--only", text)]
    words += ["--rounds", "1", "--seed", "1", "--services", "2", "--rate", "60"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *words),
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        printed, _ = await process.communicate()
    lines = printed.decode().splitlines()
    assert process.returncode == 0, lines
    faults = ("connections to Kafka", "connections to PostgreSQL", "retention", "all")
    rows = [line for line in lines if line.startswith(faults) and "held;" not in line]
    assert len(rows) == len(faults), lines
    for row in rows:
        assert "created" in row
