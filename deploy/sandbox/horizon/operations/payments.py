"""Payments, plain and by path. Nobody trades here, so a path works only where it needs no exchange."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.values import (
    NATIVE,
    Party,
    account_id,
    amount,
    asset_of,
    asset_xdr,
    given,
    issuer_of,
    party_of,
)
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene, Success, asset_fields, party_fields
from deploy.sandbox.horizon.operations.transfers import Refusals, credit, debit

Code = xdr.PaymentResultCode
Receive = xdr.PathPaymentStrictReceiveResultCode
Send = xdr.PathPaymentStrictSendResultCode

PAYER = Refusals(Code.PAYMENT_SRC_NO_TRUST, Code.PAYMENT_SRC_NOT_AUTHORIZED, Code.PAYMENT_UNDERFUNDED)
PAYEE = Refusals(Code.PAYMENT_NO_TRUST, Code.PAYMENT_NOT_AUTHORIZED, Code.PAYMENT_LINE_FULL)
RECEIVE_PAYER = Refusals(
    Receive.PATH_PAYMENT_STRICT_RECEIVE_SRC_NO_TRUST,
    Receive.PATH_PAYMENT_STRICT_RECEIVE_SRC_NOT_AUTHORIZED,
    Receive.PATH_PAYMENT_STRICT_RECEIVE_UNDERFUNDED,
)
RECEIVE_PAYEE = Refusals(
    Receive.PATH_PAYMENT_STRICT_RECEIVE_NO_TRUST,
    Receive.PATH_PAYMENT_STRICT_RECEIVE_NOT_AUTHORIZED,
    Receive.PATH_PAYMENT_STRICT_RECEIVE_LINE_FULL,
)
SEND_PAYER = Refusals(
    Send.PATH_PAYMENT_STRICT_SEND_SRC_NO_TRUST,
    Send.PATH_PAYMENT_STRICT_SEND_SRC_NOT_AUTHORIZED,
    Send.PATH_PAYMENT_STRICT_SEND_UNDERFUNDED,
)
SEND_PAYEE = Refusals(
    Send.PATH_PAYMENT_STRICT_SEND_NO_TRUST,
    Send.PATH_PAYMENT_STRICT_SEND_NOT_AUTHORIZED,
    Send.PATH_PAYMENT_STRICT_SEND_LINE_FULL,
)


@dataclass(frozen=True, slots=True)
class Payment:
    """An amount of one asset from the source to a destination."""

    destination: Party
    asset: str | None
    stroops: int
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - who sends does not matter here
        """Refuse nothing, and assets that can't be."""
        return Code.PAYMENT_MALFORMED if self.stroops <= 0 or self.asset is None else None

    def apply(self, scene: Scene) -> Answer:
        """Pay. The destination is looked at first, so its faults hide the source's."""
        asset, destination = given(self.asset), self.destination.account
        is_to_itself = destination == scene.source.account and asset == NATIVE
        if not is_to_itself:
            if destination != issuer_of(asset) and scene.draft.peek(destination) is None:
                return Code.PAYMENT_NO_DESTINATION
            refusal = credit(scene, destination, asset, self.stroops, PAYEE)
            if refusal is None:
                refusal = debit(scene, scene.source.account, asset, self.stroops, PAYER)
            if refusal is not None:
                return refusal
        _note_payment(scene, self.destination, asset, self.stroops)
        return Code.PAYMENT_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        parties = party_fields(source, "from") | party_fields(self.destination, "to")
        return asset_fields(self.asset) | parties | {"amount": amount(self.stroops)}

    def touched(self) -> Iterable[str]:
        """Name the destination."""
        return (self.destination.account,)


@dataclass(frozen=True, slots=True)
class PathPayment:
    """A payment by path; `sends` is exact when `is_strict_send`, else `receives` is, and the other is the limit."""

    destination: Party
    send_asset: str | None
    sends: int
    receive_asset: str | None
    receives: int
    path: tuple[str | None, ...]
    is_strict_send: bool
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - who sends does not matter here
        """Refuse nothing, and assets that can't be."""
        if self.sends > 0 and self.receives > 0 and None not in (self.send_asset, self.receive_asset, *self.path):
            return None
        if self.is_strict_send:
            return Send.PATH_PAYMENT_STRICT_SEND_MALFORMED
        return Receive.PATH_PAYMENT_STRICT_RECEIVE_MALFORMED

    def apply(self, scene: Scene) -> Answer:
        """Pay, in the order the network does: what is exact is moved first."""
        asset = given(self.receive_asset)
        is_to_issuer = not self._exchanges and not self.path and self.destination.account == issuer_of(asset)
        is_missing = not is_to_issuer and scene.draft.peek(self.destination.account) is None
        return self._send(scene, asset, is_missing) if self.is_strict_send else self._receive(scene, asset, is_missing)

    def _send(self, scene: Scene, asset: str, is_missing: bool) -> Answer:  # noqa: FBT001 - one caller
        if is_missing:
            return Send.PATH_PAYMENT_STRICT_SEND_NO_DESTINATION
        refusal = debit(scene, scene.source.account, given(self.send_asset), self.sends, SEND_PAYER)
        if refusal is not None:
            return refusal
        if self._exchanges:
            return Send.PATH_PAYMENT_STRICT_SEND_TOO_FEW_OFFERS
        if self.sends < self.receives:
            return Send.PATH_PAYMENT_STRICT_SEND_UNDER_DESTMIN
        refusal = credit(scene, self.destination.account, asset, self.sends, SEND_PAYEE)
        if refusal is not None:
            return refusal
        _note_payment(scene, self.destination, asset, self.sends)
        last = xdr.SimplePaymentResult(account_id(self.destination.account), asset_xdr(asset), xdr.Int64(self.sends))
        success = xdr.PathPaymentStrictSendResultSuccess([], last)
        return Success(Send.PATH_PAYMENT_STRICT_SEND_SUCCESS, {"success": success})

    def _receive(self, scene: Scene, asset: str, is_missing: bool) -> Answer:  # noqa: FBT001 - one caller
        if is_missing:
            return Receive.PATH_PAYMENT_STRICT_RECEIVE_NO_DESTINATION
        refusal = credit(scene, self.destination.account, asset, self.receives, RECEIVE_PAYEE)
        if refusal is not None:
            return refusal
        if self._exchanges:
            return Receive.PATH_PAYMENT_STRICT_RECEIVE_TOO_FEW_OFFERS
        if self.receives > self.sends:
            return Receive.PATH_PAYMENT_STRICT_RECEIVE_OVER_SENDMAX
        refusal = debit(scene, scene.source.account, asset, self.receives, RECEIVE_PAYER)
        if refusal is not None:
            return refusal
        _note_payment(scene, self.destination, asset, self.receives)
        last = xdr.SimplePaymentResult(account_id(self.destination.account), asset_xdr(asset), xdr.Int64(self.receives))
        success = xdr.PathPaymentStrictReceiveResultSuccess([], last)
        return Success(Receive.PATH_PAYMENT_STRICT_RECEIVE_SUCCESS, {"success": success})

    @property
    def _exchanges(self) -> bool:
        """Whether two neighbours on the way differ, so that somebody would have to trade."""
        return len({self.send_asset, *self.path, self.receive_asset}) > 1

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:
        """Show it; what was not exact is known once it succeeded."""
        moved = amount((self.sends if self.is_strict_send else self.receives) if successful else 0)
        if self.is_strict_send:
            amounts = {"amount": moved, "source_amount": amount(self.sends), "destination_min": amount(self.receives)}
        else:
            amounts = {"amount": amount(self.receives), "source_amount": moved, "source_max": amount(self.sends)}
        assets = asset_fields(self.receive_asset) | asset_fields(self.send_asset, "source_")
        parties = party_fields(source, "from") | party_fields(self.destination, "to")
        return assets | parties | amounts | {"path": [asset_fields(each) for each in self.path]}

    def touched(self) -> Iterable[str]:
        """Name the destination."""
        return (self.destination.account,)


def _note_payment(scene: Scene, destination: Party, asset: str, stroops: int) -> None:
    scene.note(destination, "account_credited", **asset_fields(asset), amount=amount(stroops))
    scene.note(scene.source, "account_debited", **asset_fields(asset), amount=amount(stroops))


def read_payment(body: xdr.OperationBody) -> Payment:
    """Read a payment."""
    op = given(body.payment_op)
    return Payment(party_of(op.destination), asset_of(op.asset), op.amount.int64)


def read_strict_receive(body: xdr.OperationBody) -> PathPayment:
    """Read a path payment of which the amount received is exact."""
    op = given(body.path_payment_strict_receive_op)
    return PathPayment(
        destination=party_of(op.destination),
        send_asset=asset_of(op.send_asset),
        sends=op.send_max.int64,
        receive_asset=asset_of(op.dest_asset),
        receives=op.dest_amount.int64,
        path=tuple(asset_of(each) for each in op.path),
        is_strict_send=False,
    )


def read_strict_send(body: xdr.OperationBody) -> PathPayment:
    """Read a path payment of which the amount sent is exact."""
    op = given(body.path_payment_strict_send_op)
    return PathPayment(
        destination=party_of(op.destination),
        send_asset=asset_of(op.send_asset),
        sends=op.send_amount.int64,
        receive_asset=asset_of(op.dest_asset),
        receives=op.dest_min.int64,
        path=tuple(asset_of(each) for each in op.path),
        is_strict_send=True,
    )
