"""The life of a ticket, as one table: its moves, who may make them, and what else they do.

Same to same is no move. Closed is the end: whoever has more to say opens a new ticket.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from handlers.refusal import Refusal, denied, refused
from handlers.ticket import Ticket
from schemas.vocabulary import ActorType, ChangeKind, RejectionCode, TicketStatus

OPEN, IN_PROGRESS, WAITING, RESOLVED, CLOSED = TicketStatus
AGENTS: Final = frozenset({ActorType.TENANT, ActorType.PARTNER, ActorType.PLATFORM})
ANYONE: Final = frozenset(ActorType)


class Occasion(StrEnum):
    """What moves a ticket without anybody naming the status."""

    FIRST_REPLY = "the first public reply by a non-customer"
    CUSTOMER_MESSAGE = "a customer's message within the reopen window"
    AUTO_CLOSE = "the auto-close time"


class Deed(StrEnum):
    """What a move does besides. A deed's stamps are undone by no later move but a reopening."""

    RESOLVES = "sets resolved_at and resolution_time_minutes"
    CLOSES = "sets closed_at, and resolved_at where it is not set"
    REOPENS = "clears resolved_at and resolution_time_minutes"


class Move(NamedTuple):
    """One step of a ticket's life. by: who may ask for it; occasion: what else brings it about."""

    before: TicketStatus
    after: TicketStatus
    by: frozenset[ActorType] = AGENTS
    deed: Deed | None = None
    occasion: Occasion | None = None


MOVES: Final = (
    Move(OPEN, IN_PROGRESS, occasion=Occasion.FIRST_REPLY),
    Move(OPEN, WAITING),
    Move(OPEN, RESOLVED, deed=Deed.RESOLVES),
    Move(OPEN, CLOSED, deed=Deed.CLOSES),
    Move(IN_PROGRESS, OPEN),
    Move(IN_PROGRESS, WAITING),
    Move(IN_PROGRESS, RESOLVED, deed=Deed.RESOLVES),
    Move(IN_PROGRESS, CLOSED, deed=Deed.CLOSES),
    Move(WAITING, OPEN),
    Move(WAITING, IN_PROGRESS),
    Move(WAITING, RESOLVED, deed=Deed.RESOLVES),
    Move(WAITING, CLOSED, deed=Deed.CLOSES),
    Move(RESOLVED, OPEN, ANYONE, Deed.REOPENS, Occasion.CUSTOMER_MESSAGE),
    Move(RESOLVED, IN_PROGRESS, deed=Deed.REOPENS),
    Move(RESOLVED, CLOSED, deed=Deed.CLOSES, occasion=Occasion.AUTO_CLOSE),
)

LIFE: Final = {(move.before, move.after): move for move in MOVES}
_OCCASIONS: Final = {(move.occasion, move.before): move for move in MOVES if move.occasion}

RATED_IN: Final = frozenset({RESOLVED, CLOSED})
"""When a customer can judge the outcome."""

TAKEN_WHEN_CLOSED: Final = frozenset(
    {ChangeKind.ADD_MESSAGE, ChangeKind.SET_STATUS, ChangeKind.SET_FIELDS, ChangeKind.RATE}
)
"""What a closed ticket is still asked: notes (a public message is refused), a correction of what it
says, a rating; and a status, which is refused as any other impossible move is."""


def find_move(before: TicketStatus, after: TicketStatus, actor: ActorType) -> Move | Refusal | None:
    """The move that an actor asks for; None where the ticket is there already."""
    if before is after:
        return None
    move = LIFE.get((before, after))
    if move is not None and actor in move.by:
        return move
    if actor is not ActorType.CUSTOMER:
        return refused(RejectionCode.TRANSITION_NOT_ALLOWED, before=before, after=after)
    if before is CLOSED:
        return refused(RejectionCode.TICKET_CLOSED)
    return denied("Customers cannot update ticket metadata.")


def move_on(occasion: Occasion, before: TicketStatus) -> Move | None:
    """The move that this occasion brings about, if any does."""
    return _OCCASIONS.get((occasion, before))


def reopening_refusal(ticket: Ticket, now: datetime, window: timedelta) -> Refusal | None:
    """Why a customer may not reopen this resolved ticket any more; None while it may."""
    since = ticket.resolved_at or ticket.updated_at
    return refused(RejectionCode.REOPEN_WINDOW_PASSED) if now - since > window else None


def moved(ticket: Ticket, move: Move, at: datetime, now: datetime) -> Ticket:
    """The ticket after the move. at: when it took effect, which decides its service level."""
    after = ticket.copy()
    after.status = move.after
    match move.deed:
        case Deed.RESOLVES:
            _resolve(after, at)
        case Deed.CLOSES:
            after.closed_at = now
            if after.resolved_at is None:
                _resolve(after, at)
        case Deed.REOPENS:
            after.resolved_at = after.resolution_time_minutes = None
        case None:
            pass
    return after


def _resolve(ticket: Ticket, at: datetime) -> None:
    ticket.resolved_at = at
    elapsed = max(at - ticket.created_at, timedelta())
    ticket.resolution_time_minutes = elapsed // timedelta(minutes=1)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    ends = [status for status in TicketStatus if not any(move.before is status for move in MOVES)]
    lines = [
        "stateDiagram-v2",
        f"    [*] --> {TicketStatus.OPEN}",
        *(f"    {move.before} --> {move.after}: {_label(move)}" for move in MOVES),
        *(f"    {status} --> [*]" for status in ends),
    ]
    return "\n".join(lines) + "\n"


def _label(move: Move) -> str:
    who = "agents" if move.by == AGENTS else "agents and the customer"
    occasion = f", or {move.occasion}" if move.occasion else ""
    return f"{who}{occasion}"
