"""The tests beside this file, which take minutes each: part of a long chaos run."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

SHARE: Final = 0.5
"""Of a run's time: none of these is begun later."""

SECONDS_TO_END: Final = 60.0
HERE: Final = Path(__file__).parent


async def run_long_tests(rng: Random, seconds: float, tell: Callable[[str], None]) -> str | None:
    """Run file after file, in another order for each seed; the one that failed, or None.

    seconds: the whole run's. A file that is not done by then is ended, and that is told.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    files = sorted(each.name for each in HERE.glob("test_*.py"))
    for name in rng.sample(files, len(files)):
        spent = loop.time() - began_at
        if spent > SHARE * seconds:
            tell(f"{name}: not begun, since half of the time is over")
            continue
        code = await _pytest(name, seconds - spent)
        tell(f"{name}: {'not done in time' if code is None else 'held' if code == 0 else 'FAILED'}")
        if code:
            return name
    return None


async def _pytest(name: str, seconds: float) -> int | None:
    """The exit code; None where it had to be ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "--no-header", str(HERE / name)),
        cwd=HERE.parents[1],
    )
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    except TimeoutError:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(SECONDS_TO_END):
            await process.wait()
        return None
