"""When a claimable balance may be claimed."""

from datetime import UTC, datetime
from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.values import INT64_MAX, given

Kind = xdr.ClaimPredicateType

DEPTH_MAX: Final = 4
_PAIR: Final = 2


def is_valid(predicate: xdr.ClaimPredicate, depth: int = 1) -> bool:
    """Tell whether a predicate is one the chain takes: at most four levels, pairs of two, no negative times."""
    if depth > DEPTH_MAX:
        return False
    if predicate.type in {Kind.CLAIM_PREDICATE_AND, Kind.CLAIM_PREDICATE_OR}:
        both = _pair(predicate)
        return len(both) == _PAIR and all(is_valid(each, depth + 1) for each in both)
    if predicate.type == Kind.CLAIM_PREDICATE_NOT:
        return predicate.not_predicate is not None and is_valid(predicate.not_predicate, depth + 1)
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME:
        return given(predicate.abs_before).int64 >= 0
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME:
        return given(predicate.rel_before).int64 >= 0
    return True


def absolute(predicate: xdr.ClaimPredicate, close_time: int) -> xdr.ClaimPredicate:
    """Return the predicate with times from the ledger's close on turned into points in time."""
    if predicate.type == Kind.CLAIM_PREDICATE_AND:
        return xdr.ClaimPredicate(predicate.type, and_predicates=[absolute(each, close_time) for each in _pair(predicate)])
    if predicate.type == Kind.CLAIM_PREDICATE_OR:
        return xdr.ClaimPredicate(predicate.type, or_predicates=[absolute(each, close_time) for each in _pair(predicate)])
    if predicate.type == Kind.CLAIM_PREDICATE_NOT:
        return xdr.ClaimPredicate(predicate.type, not_predicate=absolute(given(predicate.not_predicate), close_time))
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME:
        before = min(close_time + given(predicate.rel_before).int64, INT64_MAX)
        return xdr.ClaimPredicate(Kind.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME, abs_before=xdr.Int64(before))
    return predicate


def holds(predicate: xdr.ClaimPredicate, close_time: int) -> bool:
    """Tell whether a predicate with absolute times allows a claim now."""
    if predicate.type == Kind.CLAIM_PREDICATE_AND:
        return all(holds(each, close_time) for each in _pair(predicate))
    if predicate.type == Kind.CLAIM_PREDICATE_OR:
        return any(holds(each, close_time) for each in _pair(predicate))
    if predicate.type == Kind.CLAIM_PREDICATE_NOT:
        return not holds(given(predicate.not_predicate), close_time)
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME:
        return given(predicate.abs_before).int64 > close_time
    return True


def shown(predicate: xdr.ClaimPredicate) -> dict[str, object]:
    """Show a predicate as Horizon does."""
    if predicate.type == Kind.CLAIM_PREDICATE_AND:
        return {"and": [shown(each) for each in _pair(predicate)]}
    if predicate.type == Kind.CLAIM_PREDICATE_OR:
        return {"or": [shown(each) for each in _pair(predicate)]}
    if predicate.type == Kind.CLAIM_PREDICATE_NOT:
        return {"not": shown(given(predicate.not_predicate))}
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME:
        epoch = given(predicate.abs_before).int64
        return {"abs_before": _instant(epoch), "abs_before_epoch": str(epoch)}
    if predicate.type == Kind.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME:
        return {"rel_before": str(given(predicate.rel_before).int64)}
    return {"unconditional": True}


def _pair(predicate: xdr.ClaimPredicate) -> list[xdr.ClaimPredicate]:
    both = predicate.and_predicates if predicate.type == Kind.CLAIM_PREDICATE_AND else predicate.or_predicates
    return given(both)


def _instant(epoch: int) -> str:
    """Print a point in time; those beyond the calendar are as good as its end."""
    try:
        return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59Z"
