"""Operations and their effects as Horizon shows them."""

from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.chain.values import account_of
from deploy.sandbox.horizon.ledger.applying import Applied, Done
from deploy.sandbox.horizon.operations.catalog import read
from deploy.sandbox.horizon.operations.scene import Effect, party_fields
from deploy.sandbox.horizon.resources.transactions import Body, instant

EFFECTS: Final = {
    "account_created": 0,
    "account_removed": 1,
    "account_credited": 2,
    "account_debited": 3,
    "account_thresholds_updated": 4,
    "account_home_domain_updated": 5,
    "account_flags_updated": 6,
    "account_inflation_destination_updated": 7,
    "signer_created": 10,
    "signer_removed": 11,
    "signer_updated": 12,
    "trustline_created": 20,
    "trustline_removed": 21,
    "trustline_updated": 22,
    "trustline_authorized": 23,
    "trustline_deauthorized": 24,
    "trustline_authorized_to_maintain_liabilities": 25,
    "trustline_flags_updated": 26,
    "data_created": 40,
    "data_removed": 41,
    "data_updated": 42,
    "sequence_bumped": 43,
    "claimable_balance_created": 50,
    "claimable_balance_claimant_created": 51,
    "claimable_balance_claimed": 52,
    "claimable_balance_clawed_back": 80,
}


def operation_body(applied: Applied, index: int, done: Done, order: int, close_time: int) -> Body:
    """Describe one operation of a transaction that is in a ledger."""
    frame = applied.frame
    raw = frame.operations[index]
    source = frame.party(raw)
    body: Body = {
        "id": str(order),
        "paging_token": str(order),
        "transaction_successful": applied.is_successful,
        **party_fields(source, "source_account"),
        "type": raw.body.type.name.lower(),
        "type_i": raw.body.type.value,
        "created_at": instant(close_time),
        "transaction_hash": frame.hash.hex(),
    }
    if done.sponsor is not None:
        body["sponsor"] = done.sponsor
    if raw.body.type == xdr.OperationType.END_SPONSORING_FUTURE_RESERVES and applied.is_successful:
        body |= _begin_sponsor(frame, index)
    return body | read(raw).details(source, successful=applied.is_successful)


def _begin_sponsor(frame: Frame, index: int) -> Body:
    """Find who began what an operation ends: the nearest before it that promised its source."""
    sponsored = frame.party(frame.operations[index]).account
    for raw in reversed(frame.operations[:index]):
        begun = raw.body.begin_sponsoring_future_reserves_op
        if begun is not None and account_of(begun.sponsored_id) == sponsored:
            return party_fields(frame.party(raw), "begin_sponsor")
    return {}


def operation(body: Body, base: str) -> Body:
    """Show an operation."""
    own = f"{base}/operations/{body['id']}"
    order = body["paging_token"]
    links = {
        "self": {"href": own},
        "transaction": {"href": f"{base}/transactions/{body['transaction_hash']}"},
        "effects": {"href": f"{own}/effects"},
        "succeeds": {"href": f"{base}/effects?order=desc&cursor={order}"},
        "precedes": {"href": f"{base}/effects?order=asc&cursor={order}"},
    }
    return {"_links": links, **body}


def effect_body(effect: Effect, operation_order: int, place: int, close_time: int) -> Body:
    """Describe one effect of an operation, the first being at place 1."""
    return {
        "id": f"{operation_order:019d}-{place:010d}",
        "paging_token": f"{operation_order}-{place}",
        **party_fields(effect.party, "account"),
        "type": effect.name,
        "type_i": EFFECTS[effect.name],
        "created_at": instant(close_time),
        **effect.details,
    }


def effect(body: Body, base: str) -> Body:
    """Show an effect."""
    order = str(body["paging_token"])
    links = {
        "operation": {"href": f"{base}/operations/{order.partition('-')[0]}"},
        "succeeds": {"href": f"{base}/effects?order=desc&cursor={order}"},
        "precedes": {"href": f"{base}/effects?order=asc&cursor={order}"},
    }
    return {"_links": links, **body}


def subjects(frame: Frame, index: int, done: Done) -> set[str]:
    """Return the accounts and claimable balances in whose history one operation belongs."""
    raw = frame.operations[index]
    found = {frame.party(raw).account, *read(raw).touched()}
    if raw.body.type == xdr.OperationType.END_SPONSORING_FUTURE_RESERVES:
        begun = _begin_sponsor(frame, index)
        found |= {str(begun["begin_sponsor"])} if begun else set()
    return found | {each for each in (done.made, done.sponsor) if each is not None}
