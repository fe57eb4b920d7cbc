"""The ledger's answer about a deposit: its user has it, or a person must look."""

from libs.common.contracts.envelope import Reply
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.deposits import Status
from services.payouts.domain.withdrawals import read_reference
from services.payouts.store.deposits import DEPOSITS, DepositRow


def needs(_: Reply, context: Context) -> Needs:
    """Name the deposit that the note on the answer tells of."""
    deposit_id, _user_id, _version = read_reference(context.reference)
    return Needs(rows=((DEPOSITS, (context.tenant, deposit_id)),))


def decide(state: State, message: Reply, context: Context) -> Decision:
    """Finish the attempt; an answer to any but the pending one is stale. What is refused is in suspense: the money is here."""
    deposit_id, _user_id, version = read_reference(context.reference)
    found = state.get(DEPOSITS, (context.tenant, deposit_id))
    if found is None or found.status != Status.PENDING or found.version != version:
        return Decision()
    code = None if message.refusal is None else message.refusal.code
    status = Status.CREDITED if code is None else Status.SUSPENSE
    credited_at = context.now if code is None else None
    settled = DepositRow(found.tenant, found.id, status, code, found.version, None, credited_at)
    return Decision(rows=(row(DEPOSITS, settled),))
