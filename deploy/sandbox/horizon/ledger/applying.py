"""Applying a transaction: its fee, its sequence number, then all of its operations or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from stellar_sdk import StrKey, xdr

from deploy.sandbox.horizon.chain.draft import Draft
from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.chain.reserves import release_subentry
from deploy.sandbox.horizon.chain.rules import Rules
from deploy.sandbox.horizon.chain.signatures import Signatures
from deploy.sandbox.horizon.ledger.results import fee_bump_result, operation_result, transaction_result, unjudged
from deploy.sandbox.horizon.ledger.validity import common_fault, signature_fault
from deploy.sandbox.horizon.operations.catalog import read
from deploy.sandbox.horizon.operations.scene import Answer, Effect, Scene, Success

Code = xdr.TransactionResultCode


@dataclass(frozen=True, slots=True)
class Done:
    """What one operation did. `sponsor` pays for what it made, `made` is a claimable balance it made."""

    effects: Sequence[Effect] = ()
    sponsor: str | None = None
    made: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A transaction that is in a ledger, whether it succeeded or not."""

    frame: Frame
    result: xdr.TransactionResult
    is_successful: bool
    done: Sequence[Done]


def take_fee(frame: Frame, draft: Draft, base_fee: int) -> int:
    """Take a transaction's fee, which a ledger does for all of them before it applies the first; return the fee."""
    payer = draft.existing(frame.fee_source.account)
    fee = min(payer.balance, frame.fee, base_fee * max(1, frame.operation_count))
    payer.balance -= fee
    return fee


def apply(frame: Frame, draft: Draft, rules: Rules, fee: int) -> Applied:
    """Apply a transaction whose fee is paid."""
    if frame.inner is None:
        result, done = _apply_plain(frame, draft, rules, fee, pays_fee=True)
        return Applied(frame, result, result.result.code == Code.txSUCCESS, done)
    _drop_one_time_signers(draft, {frame.fee_source.account}, frame.hash)
    inner, done = _apply_plain(frame.inner, draft, rules, 0, pays_fee=False)
    return Applied(frame, fee_bump_result(frame, inner, fee), inner.result.code == Code.txSUCCESS, done)


def _apply_plain(
    frame: Frame, draft: Draft, rules: Rules, fee: int, *, pays_fee: bool
) -> tuple[xdr.TransactionResult, Sequence[Done]]:
    signatures = Signatures(frame.hash, frame.signatures)
    code, uses_sequence = common_fault(frame, draft, rules, signatures, pays_fee=pays_fee, has_paid=True)
    if uses_sequence:
        source = draft.existing(frame.source.account)
        source.sequence, source.sequence_ledger, source.sequence_time = frame.sequence, rules.ledger, rules.close_time
    results: list[xdr.OperationResult] = []
    if code is None:
        code, results = _signature_faults(frame, draft, signatures)
    _drop_one_time_signers(draft, {frame.source.account, *(frame.party(raw).account for raw in frame.operations)}, frame.hash)
    done: Sequence[Done] = ()
    if code is None:
        code, results, done = _apply_operations(frame, draft, rules)
    return transaction_result(code, fee, results), done


def _signature_faults(
    frame: Frame, draft: Draft, signatures: Signatures
) -> tuple[xdr.TransactionResultCode | None, list[xdr.OperationResult]]:
    """Look at all signatures again: a transaction before this one in the ledger may have changed who may sign."""
    faults = [signature_fault(frame, raw, read(raw), draft, signatures) for raw in frame.operations]
    if any(fault is not None for fault in faults):
        return Code.txFAILED, [fault or unjudged(raw) for raw, fault in zip(frame.operations, faults, strict=True)]
    return (None if signatures.all_used else Code.txBAD_AUTH_EXTRA), []


def _apply_operations(
    frame: Frame, draft: Draft, rules: Rules
) -> tuple[xdr.TransactionResultCode, list[xdr.OperationResult], Sequence[Done]]:
    """Try every operation even after one failed, so that the results name each that would; then keep all or nothing."""
    inner, results, done = Draft(draft), [], []
    is_successful = True
    for index, raw in enumerate(frame.operations):
        scene = Scene(Draft(inner), rules, frame.party(raw), frame.source.account, frame.sequence, index)
        answer = _try(raw, scene)
        results.append(operation_result(raw, answer))
        if _is_success(answer):
            scene.draft.commit_to(inner)
        else:
            is_successful = False
        done.append(Done(scene.effects, scene.sponsor, scene.made))
    if not is_successful:
        return Code.txFAILED, results, ()
    if inner.promises:
        return Code.txBAD_SPONSORSHIP, [], ()
    inner.commit_to(draft)
    return Code.txSUCCESS, results, done


def _try(raw: xdr.Operation, scene: Scene) -> Answer:
    source = scene.source.account
    if scene.draft.peek(source) is None:
        return xdr.OperationResultCode.opNO_ACCOUNT
    operation = read(raw)
    fault = operation.fault(source)
    return operation.apply(scene) if fault is None else fault


def _is_success(answer: Answer) -> bool:
    """Every family of codes has its success at 0."""
    return isinstance(answer, Success) or answer == 0


def _drop_one_time_signers(draft: Draft, accounts: set[str], contents_hash: bytes) -> None:
    """Take away the signers that stood for exactly this transaction: they are used up even if it fails."""
    key = StrKey.encode_pre_auth_tx(contents_hash)
    for account in accounts:
        before = draft.peek_account(account)
        signer = None if before is None else next((each for each in before.signers if each.key == key), None)
        if signer is not None:
            owner = draft.existing(account)
            release_subentry(draft, owner, signer.sponsor)
            owner.signers = tuple(each for each in owner.signers if each != signer)
