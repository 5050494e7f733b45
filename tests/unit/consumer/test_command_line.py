import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import consumer.cli
from consumer.__main__ import main
from consumer.cli.commands import ENTRIES, Entry

SLOW_TO_IMPORT = ("aiokafka", "asyncpg", "pydantic", "sqlalchemy", "structlog", "uvloop")
PLACE = Path(str(consumer.cli.__file__)).parent


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_imports_nothing_slow() -> None:
    script = (
        "import sys; from consumer.__main__ import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted(set({SLOW_TO_IMPORT}) & set(sys.modules)))"
    )

    done = subprocess.run(  # a process of its own: here everything is imported already
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_every_module_of_a_command_is_in_the_table() -> None:
    modules = {path.stem: import_module(f"consumer.cli.{path.stem}") for path in PLACE.glob("*.py")}
    commands = {
        name
        for name, module in modules.items()
        if hasattr(module, "EXAMPLE") or hasattr(module, "COMMANDS")
    }

    assert commands == {entry.name for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_table_says_of_a_command_what_its_module_says(entry: Entry) -> None:
    module = import_module(entry.module)
    said = module.ABOUT if entry.is_group else getattr(module, entry.name).__doc__

    assert said.splitlines()[0].startswith(entry.about)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_command_has_help_with_an_example(
    entry: Entry, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [name for _, name, _ in import_module(entry.module).COMMANDS] if entry.is_group else []

    for words in [[entry.name], *([entry.name, name] for name in names)]:
        assert code_of(*words, "--help") == 0
        assert f"Example: ticketing {entry.name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("rnu",), "No such command 'rnu'. Did you mean 'run'?"),
        (("--nope",), "No such option: --nope"),
        (("run", "--workers", "0"), "Invalid value for '--workers': '0' is not 1 or more.\n"),
        (
            ("dlq", "discard", "--text", "", "--reason", "a load test"),
            "--text is empty, perhaps a variable that is not set; give a value, or leave it out.",
        ),
        (("dlq", "redrive", "--all", "--rate", "inf"), "Invalid value for '--rate': 'inf' is "),
        (("replay", "--all", "--rate", "inf"), "Invalid value for '--rate': 'inf' is "),
        (("republish", "--all", "--rate", "inf"), "Invalid value for '--rate': 'inf' is "),
        (("run", "--workers", "65"), "Invalid value for '--workers': '65' is more than 64.\n"),
        (("run", "--workers", "x"), "Invalid value for '--workers': 'x' is not a whole number.\n"),
        (("run", "--role", "king"), "Invalid value for '--role': 'king' is not one of "),
        (
            ("ticket", "list", "--status", "nope"),
            "Invalid value for '--status': 'nope' is not one of ",
        ),
        (
            ("request", "publish", "-", "--timeout", "x"),
            "Invalid value for '--timeout': 'x' is not a number.\n",
        ),
        (("run", "now"), "Got unexpected extra argument(s) (now)"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*arguments) == 2

    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert len(error.splitlines()) == 1


def test_a_wrong_setting_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETING_HTTP_PORT", "abc")
    monkeypatch.setenv("TICKETING_GRUOP_ID", "x")

    assert code_of("run") == 2

    assert capsys.readouterr().err.splitlines() == [
        "TICKETING_GRUOP_ID is not a setting: did you mean TICKETING_GROUP_ID?",
        "TICKETING_HTTP_PORT is 'abc'; give a whole number from 0 to 65535.",
    ]


def test_a_surprise_is_one_line_too_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise() -> None:
        raise KeyError("what")

    monkeypatch.setattr("consumer.settings.load_settings", surprise)

    assert code_of("run") == 1
    assert capsys.readouterr().err == "KeyError: 'what' (ticketing --debug shows where).\n"
    with pytest.raises(KeyError):
        main(["--debug", "run"])


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--version") == 0
    assert capsys.readouterr().out.strip()
