"""`make demo` from its first to its last line, on real servers, with a small burst."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.machine import DATABASE_VARIABLE, KAFKA_VARIABLE
from devstack.stack import Stack

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = Path(__file__).with_name("demo_output.txt")
SECONDS = 120

NORMAL = (
    (r"TCK-[0-9A-F]{12}", "TCK-############"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", "<time>"),
    (r"(?m)\b\d\d:\d\d:\d\d\.\d{3}  ?\+\d+ ms", "<due> <late>"),
    (r"(?m)\b\d\d:\d\d:\d\d\.\d{3}", "<due>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \((in )?\d+s( ago)?\)", "<moment>"),
    (r"paused for \d+(\.\d)? ?s", "paused for <seconds>"),
    (r"(?m)^( +)\[[#!/.]+\] \d+ %", r"\1<bar> <> %"),
    (r"\d+s elapsed, \d+s (left|over)", r"<elapsed>, <\1>"),
    (r"(?m)^[\d,]+ tickets/s +", "<rate> tickets/s  "),
    (r"requests in [\d.,]+ s", "requests in <seconds> s"),
    (r"p50 [\d.,]+, p95 [\d.,]+, p99 [\d.,]+ ms", "p50 <>, p95 <>, p99 <> ms"),
    (r"(?m)^Servers: [^.]+\.(\d[^.]*\.)*", "Servers: <servers>."),
    (r"(?m)^ +last ticket.created", "  last ticket.created"),
    (r"(?m)^(one at a time|in the burst) +", r"\1  "),
)


def normal(output: str) -> str:
    """The output without what differs from run to run, and without white space at line ends."""
    for pattern, replacement in NORMAL:
        output = re.sub(pattern, replacement, output)
    return "".join(line.rstrip() + "\n" for line in output.splitlines())


def environment(stack: Stack, **more: str) -> dict[str, str]:
    rest = {name: each for name, each in os.environ.items() if not name.startswith("TICKETING_")}
    rest.pop("COLUMNS", None)
    servers = {
        KAFKA_VARIABLE: stack.kafka.bootstrap_servers,
        DATABASE_VARIABLE: stack.postgres.url,
    }
    return rest | servers | more


def test_piped_it_prints_this(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--burst", "300"],
        cwd=ROOT,
        env=environment(stack, COLUMNS="80", NO_COLOR="1"),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert normal(done.stdout) == EXPECTED.read_text()


@contextmanager
def kept_demo(stack: Stack, where: Path) -> Iterator["subprocess.Popen[str]"]:
    """A demo that stays, started where its `.env.demo` disturbs nobody."""
    started = subprocess.Popen(
        [sys.executable, "-m", "examples.demo", "--burst", "50"],
        cwd=where,
        env=environment(stack, KEEP="1", PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def test_kept_it_can_be_tried_until_it_is_told_to_end(stack: Stack, tmp_path: Path) -> None:
    with kept_demo(stack, tmp_path) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line.rstrip())
            if "request publish" in line:
                break
        commands = [line.strip() for line in lines if line.startswith("  env $(cat .env.demo)")]
        assert len(commands) == 3
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        for command in commands:
            done = subprocess.run(  # the command as a newcomer pastes it
                ["/bin/sh", "-c", command],
                cwd=tmp_path,
                env=environment(stack, PYTHONPATH=str(ROOT)),
                capture_output=True,
                encoding="utf-8",
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout
        assert (tmp_path / ".env.demo").stat().st_mode & 0o777 == 0o600

        demo.send_signal(signal.SIGINT)
        assert demo.wait(SECONDS) == 130
        assert demo.stderr is not None
        assert demo.stderr.read() == ""
    assert not (tmp_path / ".env.demo").exists()
