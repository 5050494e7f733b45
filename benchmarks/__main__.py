"""`python -m benchmarks` (`make bench`): measure on this machine and print the figures."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report
from benchmarks.figures import CONTESTANTS, FULL, MEASURES, QUICK, measure
from benchmarks.program import PRODUCT, TWO_WORKERS, ProgramFailed
from benchmarks.subscriber import NothingMoves
from devstack.choice import ServerMissing
from devstack.server import ServerFailed
from devstack.stack import running

_PIPED_COLUMNS = 120
_BROKER_WARM_UP_SECONDS = 10


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--tickets", type=int, metavar="N", help="the product's backlog (100000)")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--of", nargs="+", choices=tuple(CONTESTANTS), default=tuple(CONTESTANTS))
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    sizes = dict(QUICK if arguments.quick else FULL)
    if arguments.tickets:
        for contestant in (PRODUCT, TWO_WORKERS):
            sizes[contestant] = replace(sizes[contestant], tickets=arguments.tickets)
    progress = Console(stderr=True)
    try:
        with running() as stack:
            where = machine.describe(stack)
            found = measure(
                stack,
                sizes,
                measures=arguments.only,
                contestants=arguments.of,
                broker_warm_up_seconds=0 if arguments.quick else _BROKER_WARM_UP_SECONDS,
                tell=lambda what: progress.print(f"measuring {what}", highlight=False),
            )
    except (ServerMissing, ServerFailed, ProgramFailed, NothingMoves) as error:
        sys.stderr.write("\n".join([str(error), *getattr(error, "__notes__", ())]) + "\n")
        return 1
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_COLUMNS)
    report.show(console, where, found)
    if arguments.json:
        arguments.json.write_text(report.as_json(where, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
