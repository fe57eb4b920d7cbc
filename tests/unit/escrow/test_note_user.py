import itertools

import pytest

from libs.common.contracts.envelope import Event, raw
from services.escrow.store.rows import PartyRow
from tests.support.orders import TENANT, Desk

SAID = {1: "PENDING_VERIFICATION", 2: "ACTIVE", 3: "SUSPENDED"}


def event(sequence: int) -> Event:
    data = raw({"user_id": "usr_new", "status": SAID[sequence], "email": None})
    return Event("user:usr_new", sequence, "2026-01-12T10:00:00.000Z", data)


@pytest.mark.parametrize("order", list(itertools.permutations(SAID)))
def test_the_newest_word_on_a_user_stays_whatever_order_the_events_come_in(order: tuple[int, ...]) -> None:
    desk = Desk()
    for sequence in order:
        desk.do(event(sequence), kind="user.created")
    assert desk.rows["parties"][TENANT, "usr_new"] == PartyRow(TENANT, "usr_new", "SUSPENDED", 3)
