"""`python -m tests.simulation SEED`: one seed again, exactly as it was."""

import argparse
import sys

from tests.simulation.bugs import BUGS
from tests.simulation.run import run


def main() -> int:
    """Run what the command line asks for; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--to", type=int, help="run all seeds from SEED up to this one")
    parser.add_argument("--trace", action="store_true", help="print every step")
    parser.add_argument("--bug", choices=list(BUGS), help="plant this bug first")
    given = parser.parse_args()
    show = _say if given.trace else None
    is_broken = False
    for seed in range(given.seed, (given.to or given.seed) + 1):
        verdict = run(seed, bug=given.bug, show=show)
        is_broken = is_broken or bool(verdict.violations)
        _say(str(verdict))
    return int(is_broken)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
