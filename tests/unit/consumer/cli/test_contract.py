"""`ticketing contract`, as it is run: what it prints and writes, and how its gate ends."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.__main__ import main
from schemas.json_schema import all_schemas
from tests.generated_docs import CONTRACT, ROOT


def ticketing(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["contract", *map(str, words)])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)  # noqa: S607


def kept(folder: Path, schemas: Sequence[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for number, schema in enumerate(schemas):
        (folder / f"{number}.json").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def requested(**fields: object) -> dict[str, Any]:
    """Today's `ticket.requested` with other fields; one that is None is left out."""
    schema = all_schemas()["ticket.requested"]
    given = schema["properties"] | fields
    schema["properties"] = {name: each for name, each in given.items() if each is not None}
    return schema


def others() -> list[dict[str, Any]]:
    return [each for name, each in all_schemas().items() if name != "ticket.requested"]


def test_the_document_is_printed_as_yaml_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert ticketing("asyncapi") == 0
    text = capsys.readouterr().out
    assert text == (CONTRACT / "asyncapi.yaml").read_text(encoding="utf-8")
    assert ticketing("asyncapi", "--json") == 0
    assert json.loads(capsys.readouterr().out) == yaml.safe_load(text)
    assert ticketing("asyncapi", "--json", "--yaml") == 2


def test_the_page_loads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert ticketing("page") == 0
    page = capsys.readouterr().out
    assert page == (CONTRACT / "index.html").read_text(encoding="utf-8")
    assert not [
        mark
        for mark in ("<script", "<link", "<img", "//", "@import")
        if mark in page.replace("://", "")
    ]
    for name in all_schemas():
        assert f'href="schemas/{name}.json"' in page


def test_schemas_are_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ticketing("schemas") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == list(all_schemas().values())
    assert ticketing("schemas", "--out", tmp_path / "new" / "er") == 0
    assert capsys.readouterr().out == f"Wrote 17 schemas to {tmp_path}/new/er.\n"
    for path in (CONTRACT / "schemas").iterdir():
        assert (tmp_path / "new" / "er" / path.name).read_text() == path.read_text()
    assert ticketing("schemas", "--out", ROOT / "README.md") == 1


def test_the_gate_stands_on_what_was_released(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert ticketing("check") == 0, capsys.readouterr().out


def test_a_breaking_change_fails_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(tmp_path / "before", [requested(colour={"type": "string"}), *others()])
    assert ticketing("check", "--against", before) == 1
    assert capsys.readouterr().out == (
        "breaking  urn:isp-ticketing:ticket.requested:1: colour is no longer a field: what senders"
        " say there would be ignored. Leave it as it is, and put"
        " urn:isp-ticketing:ticket.requested:2 beside it until nobody uses the old one.\n"
    )
    assert ticketing("check", "--against", before, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(each["path"], each["breaking"]) for each in told["findings"]] == [("colour", True)]


def test_a_compatible_change_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept(tmp_path / "before", [requested(group_key=None), *others()])
    assert ticketing("check", "--against", before) == 0
    assert capsys.readouterr().out == (
        "compatible  urn:isp-ticketing:ticket.requested:1: group_key is a new field.\n"
        f"All of this is compatible with {before}.\n"
    )


def test_a_commit_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    kept(tmp_path / "docs" / "contract" / "schemas", [*all_schemas().values()])
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "One")
    assert ticketing("check", "--against", "HEAD") == 0
    assert capsys.readouterr().out == "Nothing changed since HEAD.\n"
    for ref in ("v9.9.9", "--help-me", str(tmp_path / "nowhere")):
        assert ticketing("check", f"--against={ref}") == 2
        assert capsys.readouterr().err == f"{ref} is neither a folder nor known to git here.\n"


def test_what_are_no_schemas_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ticketing("check", "--against", tmp_path) == 1
    assert "has no schemas" in capsys.readouterr().err
    for text in ("{", "[]", '{"$id": "a"}'):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        assert ticketing("check", "--against", tmp_path) == 1
        assert "is no schema of ours" in capsys.readouterr().err
