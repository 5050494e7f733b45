"""`ticketing sla` as it is run: lines in, lines out, no settings and no server."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from consumer.__main__ import main

LINE = '{"id": 1, "start": "2026-11-24T09:00:00Z", "target_seconds": 60}\n'
ANSWER = {"id": 1, "due": "2026-11-24T09:01:00+00:00"}
TICKETING = (sys.executable, "-m", "consumer")


def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
    stdin: str = "",
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    with pytest.raises(SystemExit) as ended:
        main(["sla", *arguments])
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICKETING_HTTP_PORT", "nothing that a setting may be")


def test_every_line_is_answered_in_its_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = f"{LINE}\n  \r\n{LINE.strip()}\r\n"
    code, out, err = run(capsys, monkeypatch, "due", stdin=stdin)
    assert (code, [json.loads(line) for line in out.splitlines()], err) == (0, [ANSWER, ANSWER], "")


def test_a_bad_line_fails_at_the_end_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(capsys, monkeypatch, "due", "-", stdin=f"{LINE}{{\n{LINE}")
    first, bad, last = [json.loads(line) for line in out.splitlines()]
    assert (code, first, last) == (1, ANSWER, ANSWER)
    assert bad.keys() == {"id", "error"}
    assert "Traceback" not in err


def test_lines_may_be_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("lines.jsonl").write_text(
        LINE.replace('"target_seconds": 60', '"stop": "2026-11-24T10:00:00Z"'), encoding="utf-8"
    )
    code, out, _ = run(capsys, monkeypatch, "elapsed", "lines.jsonl")
    assert (code, json.loads(out)) == (0, {"id": 1, "elapsed_seconds": 3600})
    code, out, err = run(capsys, monkeypatch, "elapsed", "none.jsonl")
    assert (code, out) == (2, "")
    assert err == "none.jsonl can't be read: No such file or directory.\n"


def test_who_waits_for_an_answer_gets_it_before_the_next_line() -> None:
    with subprocess.Popen(
        [*TICKETING, "sla", "due"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(LINE)
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == ANSWER
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_who_has_enough_ends_it_quietly() -> None:
    with subprocess.Popen(
        [*TICKETING, "sla", "due"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(LINE)
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == ANSWER
        process.stdout.close()
        process.stdin.write(LINE)
        process.stdin.close()
        assert (process.stderr.read(), process.wait()) == ("", 1)


def test_public_holidays_are_printed_as_a_calendar_has_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("holidays", "at", "--years", "2026-2027")
    code, out, _ = run(capsys, monkeypatch, *arguments)
    listed = yaml.safe_load(out)["holidays"]
    assert code == 0
    assert {"2026-10-26", "2027-10-26"} < set(listed)
    assert listed == sorted(listed)
    code, out, _ = run(capsys, monkeypatch, *arguments, "--json")
    assert [each["date"] for each in json.loads(out)] == listed
    code, out, _ = run(
        capsys, monkeypatch, "holidays", "DE", "--subdivision", "BY", "--years", "2026"
    )
    assert "2026-01-06" in yaml.safe_load(out)["holidays"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("XX",), 1, "The holidays of XX are not known: Country XX not available.\n"),
        (
            ("DE", "--subdivision", "ZZ"),
            1,
            "The holidays of DE, ZZ are not known: Entity `DE` does not have subdivision ZZ.\n",
        ),
        (
            ("DE", "--years", "next"),
            2,
            "--years is 'next'; give a year such as 2026, or up to 100 as 2026-2028.\n",
        ),
    ],
)
def test_a_place_without_known_holidays_is_named(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    assert run(capsys, monkeypatch, "holidays", *arguments) == (code, "", sentence)


def test_without_the_optional_package_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    assert run(capsys, monkeypatch, "holidays", "AT") == (
        1,
        "",
        "The package holidays is not installed: pip install 'isp-ticketing[holidays]'.\n",
    )
