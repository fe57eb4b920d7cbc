"""An API key as it is kept, and how its life goes: active, retiring when another replaces it, then expired or revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from libs.common.kernel.ids import Tenant
from services.gateway.domain.access import Denial, Mode, Principal, Scope, earliest
from services.gateway.domain.addresses import Network, is_narrower, parse_network, spell_network
from services.gateway.domain.errors import ApiError, invalid


class KeyStatus(StrEnum):
    """Where a key is in its life; `RETIRING` still works."""

    ACTIVE = "active"
    RETIRING = "retiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key as it is stored: everything but the secret, of which there is only the keyed hash."""

    tenant: Tenant
    id: str
    name: str
    marketplace: str
    mode: str
    scopes: list[str]
    hint: str
    digest: bytes
    allowed_ips: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    replaced_by: str | None = None
    retires_at: datetime | None = None
    """When the key that replaced it stands alone."""
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """Return when it ends by itself, whatever comes first."""
        return earliest(self.expires_at, self.retires_at)

    def status(self, now: datetime) -> KeyStatus:
        """Tell where the key is in its life."""
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        if self.ends_at is not None and self.ends_at <= now:
            return KeyStatus.EXPIRED
        return KeyStatus.ACTIVE if self.replaced_by is None else KeyStatus.RETIRING

    def principal(self) -> Principal:
        """Return whom the key stands for while it is good."""
        return Principal(
            key_id=self.id,
            name=self.name,
            marketplace=self.marketplace,
            mode=cast("Mode", self.mode),
            scopes=frozenset(map(Scope, self.scopes)),
            networks=tuple(map(parse_network, self.allowed_ips)),
            expires_at=self.expires_at,
            retires_at=self.retires_at,
        )


def judge(record: KeyRecord | None, now: datetime) -> Principal | Denial:
    """Tell whom a looked-up key stands for, or why for nobody."""
    if record is None:
        return Denial.UNKNOWN
    status = record.status(now)
    if status is KeyStatus.REVOKED:
        return Denial.REVOKED
    return Denial.EXPIRED if status is KeyStatus.EXPIRED else record.principal()


def expiry_under(maker: Principal, wanted: datetime | None, now: datetime) -> datetime | None:
    """Return when a new key ends: as wanted, or else with its maker; no key outlives the one that made it.

    Raises:
        ApiError: VALIDATION_ERROR for `expires_at`.
    """
    if wanted is None:
        return maker.expires_at
    if wanted <= now:
        raise invalid("expires_at", "write an instant in the future")
    if maker.expires_at is not None and wanted > maker.expires_at:
        raise invalid("expires_at", "a key can't outlive the one that makes it: write an earlier instant, or use the master key")
    return wanted


def networks_under(maker: Principal, wanted: Sequence[Network]) -> list[str]:
    """Return where a new key may be used from: as wanted, or else where its maker may; never from elsewhere.

    Raises:
        ApiError: VALIDATION_ERROR for `allowed_ips`.
    """
    networks = wanted or maker.networks
    if not is_narrower(networks, maker.networks):
        within = ", ".join(map(spell_network, maker.networks))
        raise invalid("allowed_ips", f"a key can't be used where the one that makes it can't: stay within {within}")
    return sorted({spell_network(network) for network in networks})


def check_not_more(maker: Principal, record: KeyRecord) -> None:
    """Let a key make another that is no more than itself: not in scopes, not in time, not in addresses.

    Raises:
        ApiError: INSUFFICIENT_SCOPE.
    """
    missing = sorted(set(map(Scope, record.scopes)) - maker.scopes)
    if missing:
        message = "A key can't have scopes that its maker lacks"
        raise ApiError("INSUFFICIENT_SCOPE", message, required_scope=missing[0], current_scopes=sorted(maker.scopes))
    if maker.expires_at is not None and (record.expires_at is None or record.expires_at > maker.expires_at):
        raise ApiError("INSUFFICIENT_SCOPE", "A key can't outlive the one that makes it")
    if not is_narrower(list(map(parse_network, record.allowed_ips)), maker.networks):
        raise ApiError("INSUFFICIENT_SCOPE", "A key can't be used where the one that makes it can't")
