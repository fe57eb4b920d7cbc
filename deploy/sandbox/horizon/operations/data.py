"""Named values on an account, such as the `config.memo_required` that says whom to pay only with a memo (SEP-29)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import Data
from deploy.sandbox.horizon.chain.reserves import Reserved, release_subentry, reserve_subentry
from deploy.sandbox.horizon.chain.values import Party, given
from deploy.sandbox.horizon.operations.options import is_printable
from deploy.sandbox.horizon.operations.scene import Answer, Level, Scene

Code = xdr.ManageDataResultCode


@dataclass(frozen=True, slots=True)
class ManageData:
    """A value to keep under a name; None takes it away."""

    name: bytes
    value: bytes | None
    level: Level = Level.MEDIUM

    def fault(self, source: str) -> IntEnum | None:  # noqa: ARG002 - whose it is does not matter
        """Refuse names that are empty or not printable."""
        return None if self.name and is_printable(self.name) else Code.MANAGE_DATA_INVALID_NAME

    def apply(self, scene: Scene) -> Answer:
        """Keep, replace or take away."""
        account, name = scene.account(), self.name.decode()
        known = account.data.get(name)
        if self.value is None:
            if known is None:
                return Code.MANAGE_DATA_NAME_NOT_FOUND
            release_subentry(scene.draft, account, known.sponsor)
            account.data = {other: each for other, each in account.data.items() if other != name}
            scene.note(scene.source, "data_removed", name=name)
            return Code.MANAGE_DATA_SUCCESS
        sponsor = None if known is None else known.sponsor
        if known is None:
            match reserve_subentry(scene.draft, account, scene.rules, low_reserve=Code.MANAGE_DATA_LOW_RESERVE):
                case Reserved(payer):
                    sponsor = scene.sponsor = payer
                case refusal:
                    return refusal
        account.data = {**account.data, name: Data(self.value, sponsor)}
        effect = "data_created" if known is None else "data_updated"
        scene.note(scene.source, effect, name=name, value=base64.b64encode(self.value).decode())
        return Code.MANAGE_DATA_SUCCESS

    def details(self, source: Party, *, successful: bool) -> dict[str, object]:  # noqa: ARG002 - the same when it failed
        """Show it."""
        value = "" if self.value is None else base64.b64encode(self.value).decode()
        return {"name": self.name.decode(errors="replace"), "value": value}

    def touched(self) -> Iterable[str]:
        """Name nobody."""
        return ()


def read_manage_data(body: xdr.OperationBody) -> ManageData:
    """Read a named value."""
    op = given(body.manage_data_op)
    return ManageData(op.data_name.string64, None if op.data_value is None else op.data_value.data_value)
