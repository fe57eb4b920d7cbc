"""Give a webhook endpoint its secrets and show their keys: the webhooks service seals the secret and never says it again."""

from dataclasses import dataclass, field

import msgspec

from libs.common.contracts.commands.webhooks import CreateEndpoint, RotateSecret
from libs.common.contracts.queries.webhooks import GetAddress
from libs.common.contracts.replies.webhooks import Address, Endpoint, SecretRotation
from libs.common.kernel.ids import Tenant, sibling_id
from libs.common.kernel.webhook_keys import signing_key
from libs.common.persistence.letters import seal_for
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.webhook_secrets import mint
from services.gateway.handlers.services import Services


class RegisteredEndpoint(Endpoint, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint in the answer that made it.

    `signing_key` is the secret as Standard Webhooks verifiers read it; `secret` is there when we made it.
    """

    signing_key: str
    secret: str | None = None


class RotatedSecret(SecretRotation, frozen=True, kw_only=True, omit_defaults=True):
    """A rotation in the answer that began it.

    `signing_key` is the new secret as Standard Webhooks verifiers read it; `secret` is there when we made it.
    """

    signing_key: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What the caller asked for; without a secret we make one."""

    url: str
    events: tuple[str, ...]
    secret: str | None = field(repr=False)
    description: str | None
    order_mode: str
    max_in_flight: int | None
    max_per_second: int | None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """Which endpoint gets another secret, and how; without a secret we make one."""

    webhook_id: str
    secret: str | None = field(repr=False)
    overlap_seconds: int
    stage_seconds: int


_addresses: msgspec.json.Decoder[Address] = msgspec.json.Decoder(Address)
_fields: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RegisterWebhook:
    """Seals the secret for the webhooks service and composes the answer here: neither the bus nor a stored reply holds it."""

    def __init__(self, services: Services, *, pepper: bytes) -> None:
        """Make missing secrets under this pepper."""
        self._services = services
        self._pepper = pepper

    async def register(self, new: NewWebhook, *, tenant: Tenant, command_id: str) -> Answer:
        """Register the endpoint; the same command id answers the same bytes, secret included.

        Raises:
            RefusedError: a field is not allowed. ApiError: no answer.
        """
        secret = mint(self._pepper, command_id) if new.secret is None else new.secret
        endpoint_id = sibling_id("wh", command_id)
        command = CreateEndpoint(
            endpoint_id,
            new.url,
            new.events,
            "",
            new.description,
            new.order_mode,
            new.max_in_flight,
            new.max_per_second,
            await self._letter(secret, tenant, endpoint_id),
        )
        reply = await self._services.command("webhooks", command, tenant=tenant, command_id=command_id)
        return _with_keys(reply.result, secret, is_ours=new.secret is None)

    async def rotate(self, new: NewSecret, *, tenant: Tenant, command_id: str) -> Answer:
        """Begin a rotation; the same command id answers the same bytes, secret included.

        Raises:
            RefusedError: there is no such endpoint, or it can't be now. ApiError: no answer.
        """
        secret = mint(self._pepper, command_id) if new.secret is None else new.secret
        letter = await self._letter(secret, tenant, new.webhook_id)
        command = RotateSecret(new.webhook_id, "", new.overlap_seconds, new.stage_seconds, letter)
        reply = await self._services.command("webhooks", command, tenant=tenant, command_id=command_id)
        return _with_keys(reply.result, secret, is_ours=new.secret is None)

    async def _letter(self, secret: str, tenant: Tenant, endpoint_id: str) -> str:
        found = await self._services.query("webhooks", GetAddress(), tenant=tenant)
        return seal_for(_addresses.decode(found).address, secret, tenant, endpoint_id)


def _with_keys(result: msgspec.Raw, secret: str, *, is_ours: bool) -> Answer:
    shown = _fields.decode(result)
    shown["signing_key"] = _text(signing_key(secret))
    if is_ours:
        shown["secret"] = _text(secret)
    return resource(msgspec.json.encode(shown), status=201)


def _text(value: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
