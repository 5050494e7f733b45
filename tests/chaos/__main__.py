"""`python -m tests.chaos`: the whole matrix of faults, for half an hour unless told otherwise.

Exit code 1 when a promise is broken: the fault, the seed and what was found are told then, and
`--seed` with `--only` repeats it.
"""

import argparse
import asyncio
import re
import secrets
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Final

from tests.chaos.long_tests import run_long_tests
from tests.chaos.matrix import FAULTS
from tests.chaos.page import write_page
from tests.chaos.run import Plan, Verdict, run
from tests.chaos.table import as_text

LONG_SECONDS: Final = 1_800
"""A run of this length begins with the long tests, which take up to half of it."""

UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def duration(text: str) -> float:
    """`90s`, `30m` or `8h` in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 30m or 8h")
    return float(found[1]) * UNITS[found[2]]


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    add = parser.add_argument
    add("--soak", type=duration, default="30m", metavar="TIME", help="how long: 90s, 30m, 8h")
    add("--rounds", type=int, help="strike each fault so often at most")
    add("--seed", type=int, help="of the order and of all that is drawn; printed at the start")
    add("--only", action="append", default=[], metavar="TEXT", help="faults named like this")
    add("--rate", type=int, default=150, metavar="N", help="records a second")
    add("--services", type=int, default=3, metavar="N", help="processes that are kept alive")
    add("--list", action="store_true", help="name the faults and end")
    add("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    given = parsed(words)
    wanted = [
        fault
        for fault in FAULTS
        if not given.only or any(text in fault.name for text in given.only)
    ]
    if given.list or not wanted:
        say("\n".join(fault.name for fault in wanted) or "No fault is named like that.")
        return 0 if wanted else 2
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    say(f"{len(wanted)} faults, {given.soak:.0f} s, seed {seed}")
    seconds = float(given.soak)
    if seconds >= LONG_SECONDS and not given.only:
        began_at = time.monotonic()
        rng = Random(seed)  # noqa: S311  a seed must give the same order again
        if failed := asyncio.run(run_long_tests(rng, seconds, say)):
            say(f"BROKEN by {failed}, seed {seed}.")
            return 1
        seconds -= time.monotonic() - began_at
    plan = Plan(wanted, seed, seconds, given.rounds, given.rate, given.services)
    verdict = asyncio.run(run(plan, say))
    say(as_text(verdict.rows))
    if given.write and verdict.broken is None:
        write_page(verdict.rows, seed=seed, seconds=given.soak)
    return _told(verdict, seed)


def _told(verdict: Verdict, seed: int) -> int:
    if verdict.broken is None:
        return 0
    fault, sentence = verdict.broken
    say(f"BROKEN by {fault!r}, seed {seed}: {sentence}")
    return 1


def say(line: str) -> None:
    """To whoever watches, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
