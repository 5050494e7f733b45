"""Everything that devstack needs from outside, fetched once and kept in the checkout's cache."""

import re
import subprocess
import tempfile
from pathlib import Path

from devstack.choice import KAFKA_VERSION, ServerMissing

CACHE = Path(__file__).resolve().parent.parent / ".cache"
KAFKA_JARS = CACHE / f"kafka-{KAFKA_VERSION}"

_LOG4J_VERSION = "2.25.1"
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>isp.ticketing</groupId><artifactId>devstack</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    {dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)


def fetch_kafka() -> Path:
    """The directory of Kafka's jars. Raises ServerMissing when Maven can't fetch them."""
    return fetch_jars(
        f"Kafka {KAFKA_VERSION}",
        KAFKA_JARS,
        f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
        f"org.apache.logging.log4j:log4j-slf4j-impl:{_LOG4J_VERSION}",
    )


def fetch_jars(what: str, directory: Path, *artifacts: str) -> Path:
    """The directory with the jars of these artifacts (group:name:version) and all they need.

    It appears whole or not at all, so a broken run mends itself.
    Raises ServerMissing when Maven can't fetch them.
    """
    if directory.exists():
        return directory
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        (Path(work) / "pom.xml").write_text(pom(*artifacts))
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],  # noqa: S607  the one on the path
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).strip()
            raise ServerMissing(f"Maven could not fetch {what}:\n{said}")
        try:
            (Path(work) / "lib").rename(directory)
        except OSError:
            if not directory.exists():  # else another process was first
                raise
    return directory


def pom(*artifacts: str) -> str:
    """A Maven project that depends on these artifacts (group:name:version)."""
    wanted = "\n    ".join(_DEPENDENCY.format(*artifact.split(":")) for artifact in artifacts)
    return _POM.format(dependencies=wanted)
