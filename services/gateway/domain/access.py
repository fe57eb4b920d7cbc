"""Who may do what: scopes, and the principal a request acts for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from libs.common.kernel.ids import Tenant

Mode = Literal["live", "test"]


class Scope(StrEnum):
    """What a route asks for. `PUBLIC` asks for nothing, `ANY` for any valid key."""

    READ = "read"
    WRITE = "write"
    SUPPORT = "support"
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

    @property
    def tenant(self) -> Tenant:
        """Name the only tenant whose rows this key can reach."""
        return tenant_of(self.marketplace, self.mode)

    @property
    def is_master(self) -> bool:
        """Tell whether this is the operator."""
        return self.key_id == MASTER_ID


MASTER_ID: Final = "master"


def tenant_of(marketplace: str, mode: str) -> Tenant:
    """Name the tenant of a marketplace and mode."""
    return Tenant(f"{marketplace}:{mode}")


def master() -> Principal:
    """Return the operator, who acts on the default marketplace's live rows."""
    return Principal(MASTER_ID, "Master key", "default", "live", frozenset(GRANTABLE))


def allows(principal: Principal, wanted: Scope) -> bool:
    """Tell whether a principal may use a route."""
    return wanted in (Scope.PUBLIC, Scope.ANY) or wanted in principal.scopes
