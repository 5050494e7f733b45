"""The AsyncAPI document, judged by AsyncAPI's own parser, and its examples by the models."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from schemas.decode import Decoded, decode
from schemas.json_schema import CONTRACTS
from schemas.message import Message
from tests.generated_docs import CONTRACT, ROOT
from tests.node_packages import installed

ERROR = 0
DOCUMENT = CONTRACT / "asyncapi.yaml"


def judged(document: Path) -> dict[str, Any]:
    place = installed(ROOT / "tests" / "node")
    done = subprocess.run(
        ["node", "validate.mjs", document],  # noqa: S607  whichever is installed
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def errors(verdict: dict[str, Any]) -> list[Any]:
    return [each for each in verdict["diagnostics"] if each[0] == ERROR]


def test_asyncapis_own_parser_finds_no_fault() -> None:
    verdict = judged(DOCUMENT)
    assert errors(verdict) == []
    assert {each.name for each in CONTRACTS} < set(verdict["messages"])


def test_the_parser_would_find_a_fault(tmp_path: Path) -> None:
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    document["operations"]["send-ticket-created"]["channel"]["$ref"] = "#/channels/nowhere"
    broken = tmp_path / "asyncapi.json"
    broken.write_text(json.dumps(document), encoding="utf-8")
    assert any("send-ticket-created" in path for _, path, _ in errors(judged(broken)))


MESSAGES = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))["components"]["messages"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=[each.name for each in CONTRACTS])
def test_every_kind_of_record_has_an_example_that_keeps_the_contract(contract: Any) -> None:  # noqa: ANN401  a Contract
    examples = MESSAGES[contract.name]["examples"]
    assert examples
    for example in examples:
        value = json.dumps(example["payload"]).encode()
        model = contract.topic.model
        if issubclass(model, Message):
            assert isinstance(decode(model, value, ()), Decoded)
        else:
            model.model_validate_json(value)
            headers = Draft202012Validator(MESSAGES[contract.name]["headers"])
            headers.validate(example["headers"])


def test_every_dead_letter_topic_has_an_example() -> None:
    letters = [name for name in MESSAGES if name.endswith(".dlq")]
    assert len(letters) == 4
    for name in letters:
        (example,) = MESSAGES[name]["examples"]
        Draft202012Validator(MESSAGES[name]["headers"]).validate(example["headers"])
        assert example["headers"].keys() == set(MESSAGES[name]["headers"]["required"])
