"""What every service obeys."""

from typing import Final

import msgspec

NOT_EXECUTED: Final = "NOT_EXECUTED"
"""The refusal of a command that was forgone before it arrived."""


class Forgo(msgspec.Struct, frozen=True):
    """Sent under the id of an earlier command: if that one never arrived it is not to be done any more.

    If it was done, or is under way, the answer is that command's own: the inbox knows it by its id.
    """
