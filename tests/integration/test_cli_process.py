"""The console script as a process of its own: exit codes, one sentence, no traceback, pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("ticketing")


def run(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {f"TICKETING_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [str(SCRIPT), *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cwd,
        env=environment,
    )


def test_the_script_migrates_and_lists(database_url: str, tmp_path: Path) -> None:
    done = run("migrate", "--check", cwd=tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, b"")
    done = run("ticket", "list", "--json", cwd=tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, done.stdout) == (0, b"[]\n")


def test_a_setting_in_a_file_called_env_is_read(database_url: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TICKETING_DATABASE_URL={database_url}\n")
    assert run("ticket", "list", cwd=tmp_path).stdout == b"No ticket fits.\n"


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (["ticket", "list"], {"DATABASE_URL": "postgresql://127.0.0.1:1/d"}, 1),
        (["ticket", "show"], {}, 2),
        (["ticket", "list", "--limit", "0"], {}, 2),
        (["ticket", "list", "--status", "lost"], {}, 2),
        (["ticket", "list"], {"HTTP_PORT": "many"}, 2),
        (["ticket", "lsit"], {}, 2),
        (["request", "show", "--request-id", "r", "--record", "t:0:0"], {}, 2),
    ],
)
def test_every_failure_is_one_sentence(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], code: int
) -> None:
    done = run(*arguments, cwd=tmp_path, **settings)
    assert done.returncode == code
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1, done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [str(SCRIPT), "migrate", "--sql"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
