"""Where `ticketing run` spends its time at full load, sampled by py-spy from outside.

    python -m benchmarks.hotspots [--tickets N] [--raw FILE] [--py-spy PATH]

py-spy is not among our requirements: put it into an environment of its own, and have it on the
PATH or name it. It needs the right to trace its own child (root in a container has it).
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.broker import warm_up_broker
from benchmarks.load import Backlog, requests
from benchmarks.program import PRODUCT, Program, ProgramFailed, site, started
from benchmarks.throughput import warmed_up
from devstack.stack import running

_WARM_UP_TICKETS = 5_000
_BROKER_WARM_UP_SECONDS = 5
_LINES = 40


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotspots")
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=250, help="samples per second")
    parser.add_argument("--raw", type=Path, metavar="FILE", help="keep the stacks, collapsed")
    parser.add_argument("--lines", action="store_true", help="by line instead of by function")
    parser.add_argument("--native", action="store_true", help="C functions too (slower)")
    parser.add_argument("--py-spy", default=shutil.which("py-spy"), metavar="PATH")
    return parser.parse_args()


@contextmanager
def _sampled(arguments: argparse.Namespace, program: Program, stacks: Path) -> Iterator[None]:
    """Samples what the program does within the block."""
    command = [arguments.py_spy, "record", "--pid", str(program.pid), "--rate", str(arguments.rate)]
    command += ["--format", "raw", "--output", str(stacks), *(["--native"] * arguments.native)]
    command += [] if arguments.lines else ["--function"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as sampler:
        said = sampler.stdout.readline() if sampler.stdout else b""
        if b"Sampling" not in said:
            raise ProgramFailed(f"py-spy did not begin: {said.decode(errors='replace')}")
        yield
        sampler.send_signal(signal.SIGINT)
        sampler.communicate()  # it reports before it writes, and a closed pipe would end it


def show(stacks: list[str]) -> None:
    """Each function's share of all samples: by itself, and with all that it calls.

    A line of `stacks` is `outermost;..;innermost COUNT`, as py-spy's raw format has it.
    """
    own: Counter[str] = Counter()
    with_callees: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        path = frames.split(";")
        own[path[-1]] += int(count)
        for frame in set(path):
            with_callees[frame] += int(count)
    total = own.total() or 1
    for title, counts in (("own time", own), ("with callees", with_callees)):
        sys.stdout.write(f"\n{title}\n")
        for frame, samples in counts.most_common(_LINES):
            sys.stdout.write(f"{samples / total:6.1%}  {frame}\n")


def main() -> int:
    arguments = _arguments()
    if arguments.py_spy is None:
        sys.stderr.write("py-spy is not on the PATH: install it anywhere and name it: --py-spy.\n")
        return 1
    with tempfile.TemporaryDirectory() as directory, running() as stack:
        stacks = Path(directory) / "stacks"
        warm_up_broker(stack.kafka.bootstrap_servers, seconds=_BROKER_WARM_UP_SECONDS)
        with site(stack, PRODUCT) as place, started(place) as program:
            watch = warmed_up(place, program, _WARM_UP_TICKETS)
            with (
                Backlog(
                    place.kafka, place.requests, requests("backlog", arguments.tickets)
                ) as backlog,
                _sampled(arguments, program, stacks),
            ):
                backlog.release()
                watch.wait_for(_WARM_UP_TICKETS + arguments.tickets, check=program.check)
        show(stacks.read_text().splitlines())
        if arguments.raw:
            shutil.copy(stacks, arguments.raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
