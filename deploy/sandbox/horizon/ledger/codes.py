"""Result codes as Horizon prints them. Most follow from the protocol's names; a few do not, and stand in tables."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.values import given
from deploy.sandbox.horizon.operations.catalog import SUPPORTED

_TRANSACTION: Final = {
    xdr.TransactionResultCode.txNO_ACCOUNT: "tx_no_source_account",
    xdr.TransactionResultCode.txBAD_MIN_SEQ_AGE_OR_GAP: "tx_bad_minseq_age_or_gap",
}
_ANY_OPERATION: Final = {xdr.OperationResultCode.opNO_ACCOUNT: "op_no_source_account"}
_OPERATION: Final = {
    "CREATE_ACCOUNT_ALREADY_EXIST": "op_already_exists",
    "PATH_PAYMENT_STRICT_RECEIVE_OVER_SENDMAX": "op_over_source_max",
    "PATH_PAYMENT_STRICT_SEND_UNDER_DESTMIN": "op_under_dest_min",
    "CHANGE_TRUST_NOT_AUTH_MAINTAIN_LIABILITIES": "op_not_aut_maintain_liabilities",
    "ALLOW_TRUST_NO_TRUST_LINE": "op_no_trust",
    "ALLOW_TRUST_TRUST_NOT_REQUIRED": "op_not_required",
    "SET_TRUST_LINE_FLAGS_NO_TRUST_LINE": "op_no_trust",
    "ACCOUNT_MERGE_SEQNUM_TOO_FAR": "op_seq_num_too_far",
    "MANAGE_DATA_NAME_NOT_FOUND": "op_data_name_not_found",
    "MANAGE_DATA_INVALID_NAME": "op_data_invalid_name",
    "CLAWBACK_CLAIMABLE_BALANCE_NOT_ISSUER": "op_no_issuer",
}


def transaction_code(code: xdr.TransactionResultCode) -> str:
    """Print a transaction's code: txBAD_SEQ is tx_bad_seq."""
    return _TRANSACTION.get(code) or f"tx_{code.name.removeprefix('tx').lower()}"


def operation_code(result: xdr.OperationResult) -> str:
    """Print an operation's code: PAYMENT_NO_TRUST is op_no_trust."""
    if result.code != xdr.OperationResultCode.opINNER:
        return _ANY_OPERATION.get(result.code) or f"op_{result.code.name.removeprefix('op').lower()}"
    inner = given(result.tr)
    code: IntEnum = getattr(inner, SUPPORTED[inner.type].arm).code
    return _own_code(type(code), code)


@lru_cache(maxsize=1024)
def _own_code(family: type[IntEnum], code: IntEnum) -> str:
    if code.name in _OPERATION:
        return _OPERATION[code.name]
    stem = re.sub(r"(?<!^)(?=[A-Z])", "_", family.__name__.removesuffix("ResultCode")).upper()
    return f"op_{code.name.removeprefix(f'{stem}_').lower()}"


def result_codes(result: xdr.TransactionResult, asked_for: str | None = None) -> dict[str, object]:
    """Return `extras.result_codes`; a fee bump asked for by its inner hash answers as the inner transaction alone."""
    body = result.result
    shown: dict[str, object] = {}
    results = body.results
    if body.inner_result_pair is not None:
        inner = body.inner_result_pair.result.result
        results = inner.results
        if body.inner_result_pair.transaction_hash.hash.hex() == asked_for:
            shown["transaction"] = transaction_code(inner.code)
        else:
            shown |= {"transaction": transaction_code(body.code), "inner_transaction": transaction_code(inner.code)}
    else:
        shown["transaction"] = transaction_code(body.code)
    if results:
        shown["operations"] = [operation_code(each) for each in results]
    return shown
