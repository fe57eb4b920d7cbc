"""Operations that this chain refuses to do: trading, liquidity pools, contracts, inflation."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.values import Party
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One of them."""

    level: Level = Level.LOW

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - whoever asks
        """Refuse it as a network refuses what its protocol does not know yet."""
        return xdr.OperationResultCode.opNOT_SUPPORTED

    def apply(self, scene: Scene) -> Answer:  # noqa: ARG002 - refused before
        """Refuse it."""
        return xdr.OperationResultCode.opNOT_SUPPORTED

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - never shown
        """Show nothing: no ledger ever holds one."""
        return {}

    def touched(self) -> Iterable[str]:
        """Name nobody."""
        return ()


def read_unsupported(body: xdr.OperationBody) -> Unsupported:  # noqa: ARG001 - whatever it says
    """Read nothing of it."""
    return Unsupported()
