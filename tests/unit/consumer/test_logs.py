import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from consumer.logs import RepeatFilter, masking, secrets_of, set_up_logs
from consumer.settings import Settings

PASSWORD = "p@ss/word"  # noqa: S105 - nobody's
URL = "postgresql://user:p%40ss%2Fword@host/tickets"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "asyncpg", "asyncio")}
    yield
    root.handlers[:], _ = before
    root.setLevel(before[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_ours_and_the_libraries_lines_are_json_objects_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(Settings())

    structlog.get_logger().info("batch.committed", records=3, ages={"a": 1.5})
    logging.getLogger("aiokafka.client").error("Unable connect to node %s", 1)
    logging.getLogger("aiokafka.client").info("Bootstrapped")
    structlog.get_logger().debug("unimportant")

    ours, theirs = lines(capsys)
    assert list(ours)[:3] == ["timestamp", "level", "event"]
    assert (ours["event"], ours["records"], ours["ages"]) == ("batch.committed", 3, {"a": 1.5})
    assert theirs["event"] == "Unable connect to node 1"
    assert theirs["logger"] == "aiokafka.client"


@pytest.mark.parametrize("value", ["\ud800", 2**70, object(), {1, 2}, b"\xff", None, {3: b""}])
def test_no_value_breaks_a_line(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings())

    structlog.get_logger().info("anything", value=value)

    (line,) = lines(capsys)
    assert "value" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_is_logged(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(database_url=URL, log_format=log_format))

    structlog.get_logger().warning("a", url=URL, deep={"x": [f"pw {PASSWORD}"]}, at="x://a:b1b@c")
    logging.getLogger("asyncpg").error("can't connect with %s", PASSWORD)
    structlog.get_logger().error("b", exc_info=OSError(URL))

    text = capsys.readouterr().err
    assert len(text.splitlines()) >= 3
    assert PASSWORD not in text
    assert "p%40ss%2Fword" not in text
    assert "b1b" not in text
    assert "***" in text


def test_a_secret_too_short_to_hide_masks_no_ordinary_word() -> None:
    mask = masking(secrets_of(Settings(database_url="postgresql://u:a@h/d")))

    assert mask(None, "info", {"event": "a batch"}) == {"event": "a batch"}


def test_a_repeated_complaint_is_shown_once_in_ten_seconds() -> None:
    now = 0.0
    repeats = RepeatFilter(lambda: now)

    def said(node: int) -> str | None:
        text = "Unable connect to node %s"
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, (node,), None)
        return record.getMessage() if repeats.filter(record) else None

    assert said(1) == "Unable connect to node 1"
    assert [said(2), said(3)] == [None, None]
    now = 10.0
    assert said(4) == "Unable connect to node 4 (and 2 times more)"
    now = 20.0
    assert said(5) == "Unable connect to node 5"
