"""Every operation by its type: its name, how it is read, and the XDR its result is written in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.operations.accounts import read_account_merge, read_bump_sequence, read_create_account
from deploy.sandbox.horizon.operations.authorization import read_allow_trust, read_set_trust_line_flags
from deploy.sandbox.horizon.operations.claimable import (
    read_claim_claimable_balance,
    read_clawback_claimable_balance,
    read_create_claimable_balance,
)
from deploy.sandbox.horizon.operations.data import read_manage_data
from deploy.sandbox.horizon.operations.options import read_set_options
from deploy.sandbox.horizon.operations.payments import read_payment, read_strict_receive, read_strict_send
from deploy.sandbox.horizon.operations.scene import Operation
from deploy.sandbox.horizon.operations.sponsorship import (
    read_begin_sponsoring,
    read_end_sponsoring,
    read_revoke_sponsorship,
)
from deploy.sandbox.horizon.operations.trust import read_change_trust, read_clawback
from deploy.sandbox.horizon.operations.unsupported import read_unsupported

Type = xdr.OperationType


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of operation. `result` is its XDR result, `arm` the field of OperationResultTr that holds it."""

    read: Callable[[xdr.OperationBody], Operation]
    result: Callable[..., object]
    arm: str
    is_payment: bool = False


SUPPORTED: Final[dict[xdr.OperationType, Kind]] = {
    Type.CREATE_ACCOUNT: Kind(read_create_account, xdr.CreateAccountResult, "create_account_result", is_payment=True),
    Type.PAYMENT: Kind(read_payment, xdr.PaymentResult, "payment_result", is_payment=True),
    Type.PATH_PAYMENT_STRICT_RECEIVE: Kind(
        read_strict_receive, xdr.PathPaymentStrictReceiveResult, "path_payment_strict_receive_result", is_payment=True
    ),
    Type.PATH_PAYMENT_STRICT_SEND: Kind(
        read_strict_send, xdr.PathPaymentStrictSendResult, "path_payment_strict_send_result", is_payment=True
    ),
    Type.SET_OPTIONS: Kind(read_set_options, xdr.SetOptionsResult, "set_options_result"),
    Type.CHANGE_TRUST: Kind(read_change_trust, xdr.ChangeTrustResult, "change_trust_result"),
    Type.ALLOW_TRUST: Kind(read_allow_trust, xdr.AllowTrustResult, "allow_trust_result"),
    Type.ACCOUNT_MERGE: Kind(read_account_merge, xdr.AccountMergeResult, "account_merge_result", is_payment=True),
    Type.MANAGE_DATA: Kind(read_manage_data, xdr.ManageDataResult, "manage_data_result"),
    Type.BUMP_SEQUENCE: Kind(read_bump_sequence, xdr.BumpSequenceResult, "bump_seq_result"),
    Type.CREATE_CLAIMABLE_BALANCE: Kind(
        read_create_claimable_balance, xdr.CreateClaimableBalanceResult, "create_claimable_balance_result"
    ),
    Type.CLAIM_CLAIMABLE_BALANCE: Kind(
        read_claim_claimable_balance, xdr.ClaimClaimableBalanceResult, "claim_claimable_balance_result"
    ),
    Type.BEGIN_SPONSORING_FUTURE_RESERVES: Kind(
        read_begin_sponsoring, xdr.BeginSponsoringFutureReservesResult, "begin_sponsoring_future_reserves_result"
    ),
    Type.END_SPONSORING_FUTURE_RESERVES: Kind(
        read_end_sponsoring, xdr.EndSponsoringFutureReservesResult, "end_sponsoring_future_reserves_result"
    ),
    Type.REVOKE_SPONSORSHIP: Kind(read_revoke_sponsorship, xdr.RevokeSponsorshipResult, "revoke_sponsorship_result"),
    Type.CLAWBACK: Kind(read_clawback, xdr.ClawbackResult, "clawback_result"),
    Type.CLAWBACK_CLAIMABLE_BALANCE: Kind(
        read_clawback_claimable_balance, xdr.ClawbackClaimableBalanceResult, "clawback_claimable_balance_result"
    ),
    Type.SET_TRUST_LINE_FLAGS: Kind(read_set_trust_line_flags, xdr.SetTrustLineFlagsResult, "set_trust_line_flags_result"),
}

_UNSUPPORTED: Final = Kind(read_unsupported, object, "")


def kind_of(operation: xdr.Operation) -> Kind:
    """Return what an operation is."""
    return SUPPORTED.get(operation.body.type, _UNSUPPORTED)


def read(operation: xdr.Operation) -> Operation:
    """Read an operation."""
    return kind_of(operation).read(operation.body)
