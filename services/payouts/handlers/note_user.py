"""Keep what must be known of a user, from the ledger's events about users."""

from typing import Final

import msgspec

from libs.common.contracts.envelope import Event
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.store.rows import PARTIES, PartyRow


class _Said(msgspec.Struct, frozen=True):
    """What every user event says, among other things."""

    user_id: str
    status: str


_decode: Final = msgspec.json.Decoder(_Said).decode


def needs(message: Event, context: Context) -> Needs:
    """Write an unknown user down as the event says, and look at a known one."""
    party = party_of(message, context)
    return Needs(rows=((PARTIES, PARTIES.key_of(party)),), new=((PARTIES, party),))


def decide(state: State, message: Event, context: Context) -> Decision:
    """Keep whichever is newer: events can overtake each other."""
    party = party_of(message, context)
    known = state.get(PARTIES, PARTIES.key_of(party))
    if known is not None and known.sequence >= party.sequence:
        return Decision()
    return Decision(rows=(row(PARTIES, party),))


def party_of(message: Event, context: Context) -> PartyRow:
    """Read what an event says of its user."""
    said = _decode(message.data)
    return PartyRow(context.tenant, said.user_id, said.status, message.sequence)


def user_of(message: Event) -> str:
    """Read whom an event is about."""
    return _decode(message.data).user_id
