"""Everything that devstack needs from outside, fetched once and kept in the checkout's cache."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from devstack.choice import KAFKA_VERSION, ServerMissing

CACHE = Path(__file__).resolve().parent.parent / ".cache"
KAFKA_JARS = CACHE / f"kafka-{KAFKA_VERSION}"

_LOG4J_VERSION = "2.25.1"
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>isp.ticketing</groupId><artifactId>devstack</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId><version>{_LOG4J_VERSION}</version></dependency>
  </dependencies>
</project>
"""


def fetch_kafka() -> Path:
    """The directory of Kafka's jars; it appears whole or not at all, so a broken run mends itself.

    Raises ServerMissing when Maven can't fetch them.
    """
    if KAFKA_JARS.exists():
        return KAFKA_JARS
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        (Path(work) / "pom.xml").write_text(_POM)
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],  # noqa: S607  the one on the path
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).strip()
            raise ServerMissing(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{said}")
        try:
            (Path(work) / "lib").rename(KAFKA_JARS)
        except OSError:
            if not KAFKA_JARS.exists():  # else another process was first
                raise
    return KAFKA_JARS


def find_maven() -> str | None:
    return shutil.which("mvn")
