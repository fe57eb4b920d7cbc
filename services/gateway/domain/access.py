"""Who may do what: scopes, the principal a request acts for, and why it may act for none."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from libs.common.kernel.ids import Tenant
from services.gateway.domain.addresses import Network
from services.gateway.domain.errors import ApiError

Mode = Literal["live", "test"]


class Scope(StrEnum):
    """What a route asks for. `PUBLIC` asks for nothing, `ANY` for any valid key, `MASTER` for the operator's own."""

    READ = "read"
    WRITE = "write"
    SUPPORT = "support"
    MASTER = "master"
    ANY = "any"
    PUBLIC = "public"


GRANTABLE: Final = (Scope.READ, Scope.WRITE, Scope.SUPPORT)
"""The scopes a key can have."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The key a request came with. `key_id` is `master` for the master key, which has every scope."""

    key_id: str
    name: str
    marketplace: str
    mode: Mode
    scopes: frozenset[Scope]
    networks: tuple[Network, ...] = ()
    """Where it may be used from; empty for anywhere."""
    expires_at: datetime | None = None
    """The end it was made with; keys that it makes can't outlive it."""
    retires_at: datetime | None = None
    """The end of its overlap with the key that replaces it."""

    @property
    def ends_at(self) -> datetime | None:
        """Return when it ends by itself, whatever comes first."""
        return earliest(self.expires_at, self.retires_at)

    @property
    def tenant(self) -> Tenant:
        """Name the only tenant whose rows this key can reach."""
        return tenant_of(self.marketplace, self.mode)

    @property
    def is_master(self) -> bool:
        """Tell whether this is the operator."""
        return self.key_id == MASTER_ID


MASTER_ID: Final = "master"


class Denial(StrEnum):
    """Why a request acts for nobody."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ADDRESS = "address"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Denied:
    """No principal. What the caller is told does not tell an unknown key from one that was good once."""

    denial: Denial
    retry_after: int = 0
    """For `BLOCKED`: seconds."""
    address: str = ""
    """For `ADDRESS`: where the request came from."""

    def error(self) -> ApiError:
        """Return what the caller is told."""
        if self.denial is Denial.BLOCKED:
            refusal = ApiError("RATE_LIMITED", "Too many failed authentications from this address", retry_after=self.retry_after)
            refusal.details["retry_after"] = self.retry_after
            return refusal
        if self.denial is Denial.ADDRESS:
            return ApiError("ADDRESS_NOT_ALLOWED", address=self.address)
        return ApiError("UNAUTHORIZED", "Missing Authorization header" if self.denial is Denial.MISSING else "Invalid API key")


def earliest(*ends: datetime | None) -> datetime | None:
    """Return the first of some ends; None when there is none."""
    return min((end for end in ends if end is not None), default=None)


NOBODY: Final = Denied(Denial.MISSING)


def tenant_of(marketplace: str, mode: str) -> Tenant:
    """Name the tenant of a marketplace and mode."""
    return Tenant(f"{marketplace}:{mode}")


def master() -> Principal:
    """Return the operator, who acts on the default marketplace's live rows."""
    return Principal(MASTER_ID, "Master key", "default", "live", frozenset(GRANTABLE))


def allows(principal: Principal, wanted: Scope) -> bool:
    """Tell whether a principal may use a route."""
    if wanted is Scope.MASTER:
        return principal.is_master
    return wanted in (Scope.PUBLIC, Scope.ANY) or wanted in principal.scopes
