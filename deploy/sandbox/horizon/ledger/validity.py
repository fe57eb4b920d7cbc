"""Whether a transaction may enter the queue: the network's checks, in the network's order, since the first to fail is told."""

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.draft import Draft, Reader
from deploy.sandbox.horizon.chain.entries import Account, Signer
from deploy.sandbox.horizon.chain.frames import Bounds, Frame
from deploy.sandbox.horizon.chain.rules import Rules, spendable
from deploy.sandbox.horizon.chain.signatures import Signatures, signer_address
from deploy.sandbox.horizon.chain.values import INT64_MAX
from deploy.sandbox.horizon.ledger.results import SUCCEEDED, fee_bump_result, operation_result, transaction_result, unjudged
from deploy.sandbox.horizon.operations.catalog import SUPPORTED, read
from deploy.sandbox.horizon.operations.scene import Level, Operation

Code = xdr.TransactionResultCode


def check(frame: Frame, below: Reader, rules: Rules) -> xdr.TransactionResult:
    """Return what the network would answer; the code is one of `SUCCEEDED` if it takes the transaction."""
    if frame.inner is None:
        return _check_plain(frame, Draft(below), rules, pays_fee=True)
    return _check_fee_bump(frame, frame.inner, Draft(below), rules)


def least_fee(frame: Frame, rules: Rules) -> int:
    """Return the smallest fee the network takes for a transaction."""
    return rules.base_fee * max(1, frame.operation_count)


def _check_plain(frame: Frame, draft: Draft, rules: Rules, *, pays_fee: bool) -> xdr.TransactionResult:
    fee = least_fee(frame, rules) if pays_fee else 0
    signatures = Signatures(frame.hash, frame.signatures)
    code, _ = common_fault(frame, draft, rules, signatures, pays_fee=pays_fee, has_paid=False)
    if code is not None:
        return transaction_result(code, fee)
    for index, raw in enumerate(frame.operations):
        fault = operation_fault(frame, raw, draft, signatures)
        if fault is not None:
            results = [unjudged(each) for each in frame.operations]
            results[index] = fault
            return transaction_result(Code.txFAILED, fee, results)
    if not signatures.all_used:
        return transaction_result(Code.txBAD_AUTH_EXTRA, fee)
    return transaction_result(Code.txSUCCESS, fee, [unjudged(each) for each in frame.operations])


def _check_fee_bump(frame: Frame, inner: Frame, draft: Draft, rules: Rules) -> xdr.TransactionResult:
    fee, inner_least = least_fee(frame, rules), least_fee(inner, rules)
    if frame.fee < fee:
        return transaction_result(Code.txINSUFFICIENT_FEE, fee)
    if frame.fee * inner_least < inner.fee * fee:
        return transaction_result(Code.txINSUFFICIENT_FEE, -(-inner.fee * fee // inner_least))
    payer = draft.peek_account(frame.fee_source.account)
    if payer is None:
        return transaction_result(Code.txNO_ACCOUNT, fee)
    signatures = Signatures(frame.hash, frame.signatures)
    if not signatures.weigh_for(payer, Level.LOW.needed(payer)):
        return transaction_result(Code.txBAD_AUTH, fee)
    if spendable(payer, rules) < frame.fee:
        return transaction_result(Code.txINSUFFICIENT_BALANCE, fee)
    if not signatures.all_used:
        return transaction_result(Code.txBAD_AUTH_EXTRA, fee)
    return fee_bump_result(frame, _check_plain(inner, draft, rules, pays_fee=False), fee)


def common_fault(
    frame: Frame, draft: Draft, rules: Rules, signatures: Signatures, *, pays_fee: bool, has_paid: bool
) -> tuple[xdr.TransactionResultCode | None, bool]:
    """Return what is wrong with a transaction as a whole, and whether it uses its sequence number up all the same.

    An inner transaction does not pay its fee; one that is being applied has paid it.
    """
    code = _fault_of_itself(frame, rules)
    if code is None and pays_fee and not has_paid and frame.fee < least_fee(frame, rules):
        code = Code.txINSUFFICIENT_FEE
    if code is not None:
        return code, False
    source = draft.peek_account(frame.source.account)
    if source is None:
        return Code.txNO_ACCOUNT, False
    if _is_out_of_sequence(frame, source, rules):
        return Code.txBAD_SEQ, False
    if _is_too_early_for(source, frame.bounds, rules):
        return Code.txBAD_MIN_SEQ_AGE_OR_GAP, True
    if not _is_signed(frame, source, signatures):
        return Code.txBAD_AUTH, True
    if pays_fee and spendable(source, rules) < (0 if has_paid else frame.fee):
        return Code.txINSUFFICIENT_BALANCE, True
    return None, True


def _fault_of_itself(frame: Frame, rules: Rules) -> xdr.TransactionResultCode | None:
    if len({signer_address(key) for key in frame.bounds.extra_signers}) < len(frame.bounds.extra_signers):
        return Code.txMALFORMED
    if frame.operation_count == 0:
        return Code.txMISSING_OPERATION
    return _timing(frame.bounds, rules)


def _is_signed(frame: Frame, source: Account, signatures: Signatures) -> bool:
    extra = (Signer(signer_address(key), 1) for key in frame.bounds.extra_signers)
    return signatures.weigh_for(source, Level.LOW.needed(source)) and all(signatures.weigh([each], 1) for each in extra)


def _timing(bounds: Bounds, rules: Rules) -> xdr.TransactionResultCode | None:
    if (bounds.min_time or 0) > rules.close_time or (bounds.min_ledger or 0) > rules.ledger:
        return Code.txTOO_EARLY
    is_late = bool(bounds.max_time) and (bounds.max_time or 0) < rules.latest_close
    is_late = is_late or (bool(bounds.max_ledger) and (bounds.max_ledger or 0) <= rules.ledger)
    return Code.txTOO_LATE if is_late else None


def _is_out_of_sequence(frame: Frame, source: Account, rules: Rules) -> bool:
    if frame.sequence == rules.first_sequence:
        return True
    if frame.bounds.min_sequence is not None:
        return not frame.bounds.min_sequence <= source.sequence < frame.sequence
    return source.sequence == INT64_MAX or source.sequence + 1 != frame.sequence


def _is_too_early_for(source: Account, bounds: Bounds, rules: Rules) -> bool:
    age = rules.close_time - source.sequence_time
    return age < bounds.min_sequence_age or rules.ledger - source.sequence_ledger < bounds.min_sequence_gap


def operation_fault(frame: Frame, raw: xdr.Operation, draft: Draft, signatures: Signatures) -> xdr.OperationResult | None:
    """Return what is wrong with one operation before it is tried."""
    if raw.body.type not in SUPPORTED:
        return xdr.OperationResult(xdr.OperationResultCode.opNOT_SUPPORTED)
    operation = read(raw)
    refusal = signature_fault(frame, raw, operation, draft, signatures)
    if refusal is None:
        fault = operation.fault(frame.party(raw).account)
        refusal = None if fault is None else operation_result(raw, fault)
    return refusal


def signature_fault(
    frame: Frame, raw: xdr.Operation, operation: Operation, draft: Draft, signatures: Signatures
) -> xdr.OperationResult | None:
    """Return what is wrong with who signed an operation. One that is yet to be made signs with its own key."""
    source = frame.party(raw).account
    account = draft.peek_account(source)
    if account is not None:
        is_signed = signatures.weigh_for(account, operation.level.needed(account))
    elif raw.source_account is None:
        return xdr.OperationResult(xdr.OperationResultCode.opNO_ACCOUNT)
    else:
        is_signed = signatures.weigh([Signer(source, 1)], 1)
    return None if is_signed else xdr.OperationResult(xdr.OperationResultCode.opBAD_AUTH)


def is_accepted(result: xdr.TransactionResult) -> bool:
    """Tell whether a result is a success."""
    return result.result.code in SUCCEEDED
