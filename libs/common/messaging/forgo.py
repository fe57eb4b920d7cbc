"""Settle the fate of a command whose sender died: what was done is answered again, what was not will never be."""

from libs.common.contracts.commands.common import NOT_EXECUTED, Forgo
from libs.common.messaging.use_cases import Context, Decision, refuse
from libs.common.persistence.state import Needs, State


def needs(_message: Forgo, _context: Context) -> Needs:
    """Need nothing: that this commits at all says that the id was new."""
    return Needs()


def decide(_state: State, _message: Forgo, _context: Context) -> Decision:
    """Refuse; whoever brings the command later gets this answer from the inbox."""
    return refuse(NOT_EXECUTED, "The command was given up before it was done; nothing has happened")
