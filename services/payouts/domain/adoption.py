"""What the chain has paid and a database from an older backup does not know: which withdrawals those payments were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.payouts.domain.transactions import Bump, Operation, Pay, Transaction


@dataclass(frozen=True, slots=True)
class Candidate:
    """A withdrawal that is not known to be paid."""

    tenant: str
    withdrawal_id: str
    address: str
    amount: int
    currency: str
    memo_type: str | None
    memo: str | None
    account: str | None
    """Its user's own account, which may have paid it."""


class UnknownPaymentError(Exception):
    """A transaction did what nothing here asks for: a person must find out what that was."""


def paid_by(operations: Sequence[Operation]) -> list[Pay]:
    """Return what a transaction paid.

    Raises:
        UnknownPaymentError: it did something that payouts never does.
    """
    others = [each for each in operations if not isinstance(each, Pay | Bump)]
    if others:
        raise UnknownPaymentError(f"it does {others[0]}")
    return [each for each in operations if isinstance(each, Pay)]


def adopted(sent: Transaction, candidates: Sequence[Candidate], treasury: str, assets: Mapping[str, str]) -> list[Candidate]:
    """Find the withdrawals that a transaction paid, in the order of its payments; of several that fit alike the first.

    Raises:
        UnknownPaymentError: one of its payments is nobody's.
    """
    left, found = list(candidates), list[Candidate]()
    for payment in paid_by(sent.operations):
        fitting = next((each for each in left if _fits(each, payment, sent.memo, treasury, assets)), None)
        if fitting is None:
            raise UnknownPaymentError(f"it pays {payment.amount} stroops of {payment.asset} to {payment.destination}")
        left.remove(fitting)
        found.append(fitting)
    return found


def _fits(candidate: Candidate, payment: Pay, memo: str, treasury: str, assets: Mapping[str, str]) -> bool:
    wanted = candidate.address, candidate.amount, assets[candidate.currency], memo_of(candidate)
    is_payer = payment.source in (treasury, candidate.account)
    return is_payer and wanted == (payment.destination, payment.amount, payment.asset, memo)


def memo_of(candidate: Candidate) -> str:
    """Spell a withdrawal's memo as transactions' memos are spelt."""
    kind, memo = candidate.memo_type, candidate.memo
    if kind is None or memo is None:
        return ""
    return f"{kind}:{int(memo) if kind == 'id' else memo.lower() if kind == 'hash' else memo}"
