"""Asking the services over the bus, and saying what a lost question or a lost command means to the caller."""

from typing import Final

import msgspec

from libs.common.contracts.commands.common import NOT_EXECUTED
from libs.common.contracts.envelope import Reply
from libs.common.kernel.errors import TransientError
from libs.common.kernel.ids import Tenant
from libs.common.messaging.link import Link, NotPublishedError, OutcomeUnknownError
from libs.common.messaging.rpc import RpcClient
from services.gateway.domain.errors import ApiError

_SECOND_TRY_SECONDS: Final = 1.0


class RefusedError(Exception):
    """A service said no; its words go to the caller."""

    def __init__(self, code: str, message: str, details: dict[str, object]) -> None:
        """Carry the refusal."""
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details


class Services:
    """The way to ledger, escrow, payouts and webhooks."""

    def __init__(self, link: Link, rpc: RpcClient) -> None:
        """Ask over this client."""
        self._link = link
        self._rpc = rpc

    async def command(self, service: str, message: msgspec.Struct, *, tenant: Tenant, command_id: str) -> Reply:
        """Have something done; the same `command_id` is done once however often it is asked.

        Raises:
            RefusedError: the rules forbid it. ApiError: SERVICE_UNAVAILABLE, nothing happened; OUTCOME_UNKNOWN, it may have;
            NOT_EXECUTED, the id was given up: it can't be done under it any more.
        """
        try:
            return _checked(await self._rpc.command(service, message, tenant=tenant, command_id=command_id))
        except NotPublishedError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        except OutcomeUnknownError as error:
            raise ApiError("OUTCOME_UNKNOWN", retry_after=1) from error

    async def query(self, service: str, message: msgspec.Struct, *, tenant: Tenant) -> msgspec.Raw:
        """Learn something; a lost question is asked once more.

        Raises:
            RefusedError: there is no such thing. ApiError: SERVICE_UNAVAILABLE.
        """
        try:
            try:
                reply = await self._rpc.query(service, message, tenant=tenant)
            except TransientError:
                await self._link.wait_up(_SECOND_TRY_SECONDS)
                reply = await self._rpc.query(service, message, tenant=tenant)
        except TransientError as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        return _checked(reply).result


def _checked(reply: Reply) -> Reply:
    refusal = reply.refusal
    if refusal is None:
        return reply
    if refusal.code == NOT_EXECUTED:
        raise ApiError(NOT_EXECUTED, retry_after=1)
    raise RefusedError(refusal.code, refusal.message, refusal.details)
