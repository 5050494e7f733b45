"""What this machine offers: the only look at the environment that devstack takes."""

import os
import re
import shutil
import subprocess

from devstack import containers
from devstack.choice import Machine
from devstack.fetch import KAFKA_JARS
from devstack.postgres import find_binaries

KAFKA_VARIABLE = "TICKETING_TEST_KAFKA_BOOTSTRAP_SERVERS"
DATABASE_VARIABLE = "TICKETING_TEST_DATABASE_URL"


def look(*, separate: bool = False) -> Machine:
    """Look around. `separate` leaves out the addresses: the caller wants servers of its own."""
    return Machine(
        kafka_address=None if separate else os.environ.get(KAFKA_VARIABLE) or None,
        database_url=None if separate else os.environ.get(DATABASE_VARIABLE) or None,
        docker=containers.daemon_answers(),
        java=_java_version(),
        maven=shutil.which("mvn") is not None,
        kafka_jars=KAFKA_JARS.exists(),
        postgres_binaries=find_binaries() is not None,
    )


def _java_version() -> int | None:
    """The major version of the `java` on the path, None where there is none that runs."""
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    return parse_java_version(said)


def parse_java_version(said: str) -> int | None:
    """`java -version` says `version "17.0.15"`, or `version "1.8.0_452"` for what is called 8."""
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None
