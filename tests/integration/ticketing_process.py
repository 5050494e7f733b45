"""`ticketing` as a process of its own, for commands that wait, are stopped or work side by side."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  any JSON value
        return json.loads(self.out)


async def begun(
    *arguments: str, settings: Mapping[str, str], cwd: Path
) -> asyncio.subprocess.Process:
    """A command at work. settings: without TICKETING_."""
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {f"TICKETING_{name}": value for name, value in settings.items()}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", *arguments),
        env=environment,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    """Wait for its end."""
    out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode, out.decode(), err.decode())
