"""`python -m tests.scenarios.mortal`: a service that dies again and again, each time elsewhere.

For each line on its input, a `Plan` as JSON, a child is made by fork (which spares it a second of
imports) and is `faulty` with a `Killer`. How it ended, and at which awaits, is told in a log line.
A SIGTERM is for the child.
"""

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.scenarios import faulty
from tests.scenarios.kill_run import MODULES
from tests.scenarios.killer import Killer, Plan


def main() -> None:
    given = faulty.parsed()
    with tempfile.TemporaryDirectory() as directory:
        for number, line in enumerate(sys.stdin):
            notes = Path(directory) / str(number)
            plan = json.loads(line)
            plan["deadly"] = frozenset(plan["deadly"])
            killer = Killer(MODULES, Plan(**plan), notes)
            child = os.fork()
            if child == 0:
                killer.start()
                os._exit(faulty.serve(given))
            signal.signal(signal.SIGTERM, lambda *_, child=child: os.kill(child, signal.SIGTERM))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            noted = notes.read_text().split() if notes.exists() else []
            ended = {"event": "child.ended", "exit_code": code, "noted": noted}
            sys.stderr.write(json.dumps(ended) + "\n")
            sys.stderr.flush()


if __name__ == "__main__":
    main()
