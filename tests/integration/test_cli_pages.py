"""Every page fits a terminal of 80 columns, and NO_COLOR leaves it without colour."""

import re

import pytest

from tests.integration.command import Command
from tests.integration.test_cli_requests import request
from tests.integration.test_cli_status import with_backlog

STYLE = re.compile(r"\x1b\[[\d;]*m")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d")

PAGES = (
    "ticket list",
    "dlq list",
    "dlq show ticket.requested:0:2",
    "request show --request-id r-1",
    "request show --request-id 2",
    "request show --request-id 3",
    "sla at-risk",
    "status",
    "doctor",
)


@pytest.fixture
def in_terminal(command: Command) -> Command:
    with_backlog(command)
    command.handle(request(request_id="4", title="A long title " * 15, assigned_team="t" * 40))
    command.in_terminal(80)
    return command


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_a_terminal(in_terminal: Command, page: str) -> None:
    out = in_terminal(*page.split()).out
    assert out
    assert COLOUR.search(out) is None
    assert max(len(STYLE.sub("", line)) for line in out.splitlines()) <= 80


def test_the_page_of_a_ticket_fits_a_terminal(in_terminal: Command) -> None:
    (ticket,) = in_terminal("ticket", "list", "--request-id", "4", "--json").json
    test_a_page_fits_a_terminal(in_terminal, f"ticket show {ticket['ticket_number']}")


def test_a_terminal_has_colour_unless_it_is_refused(
    in_terminal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    out = in_terminal("request", "show", "--request-id", "r-1").out
    assert "\x1b[32mcreated" in out


def test_a_page_in_a_terminal(in_terminal: Command) -> None:
    done = in_terminal("dlq", "list")
    assert [" ".join(STYLE.sub("", line).split()) for line in done.page] == [
        "id state tenant failed why",
        "ticket.requested:0:2 dead north TIME title: is 2",
        "(AGE) characters long;",
        "expected text of 3 to",
        "255 characters",
    ]
