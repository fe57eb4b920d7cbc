"""Accounts, claimable balances and assets as Horizon shows them."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.entries import (
    AUTH_CLAWBACK,
    AUTH_IMMUTABLE,
    AUTH_REQUIRED,
    AUTH_REVOCABLE,
    LINE_CLAWBACK,
    LINE_MAINTAIN,
    Account,
    Claimable,
    Signer,
    Trustline,
)
from deploy.sandbox.horizon.chain.predicates import shown
from deploy.sandbox.horizon.chain.signatures import Kind, parts
from deploy.sandbox.horizon.chain.values import amount, asset_type
from deploy.sandbox.horizon.operations.scene import asset_fields
from deploy.sandbox.horizon.resources.transactions import Body

_ZERO: Final = amount(0)
_LEVELS: Final = ("authorized", "authorized_to_maintain_liabilities", "unauthorized")
_PAGES: Final = ("transactions", "operations", "payments", "effects", "offers", "trades")
_KEY_TYPES: Final = {
    Kind.KEY: "ed25519_public_key",
    Kind.TRANSACTION: "preauth_tx",
    Kind.PREIMAGE: "sha256_hash",
    Kind.PAYLOAD: "ed25519_signed_payload",
}


def account(entry: Account, base: str, closed_at: Callable[[int], str]) -> Body:
    """Show an account; `closed_at` tells when a ledger closed."""
    own = f"{base}/accounts/{entry.id}"
    paged = {name: {"href": f"{own}/{name}{{?cursor,limit,order}}", "templated": True} for name in _PAGES}
    links = {"self": {"href": own}, **paged, "data": {"href": f"{own}/data/{{key}}", "templated": True}}
    body: Body = {"_links": links, "id": entry.id, "account_id": entry.id, "sequence": str(entry.sequence)}
    if entry.sequence_ledger:
        body |= {"sequence_ledger": entry.sequence_ledger, "sequence_time": str(entry.sequence_time)}
    body["subentry_count"] = entry.subentries
    if entry.inflation_destination:
        body["inflation_destination"] = entry.inflation_destination
    if entry.home_domain:
        body["home_domain"] = entry.home_domain
    return body | {
        "last_modified_ledger": entry.last_modified,
        "last_modified_time": closed_at(entry.last_modified),
        "thresholds": {
            "low_threshold": entry.low_threshold,
            "med_threshold": entry.medium_threshold,
            "high_threshold": entry.high_threshold,
        },
        "flags": account_flags(entry),
        "balances": [*(_balance(asset, line) for asset, line in sorted(entry.lines.items())), _lumens(entry)],
        "signers": [*map(_signer, entry.signers), _signer(Signer(entry.id, entry.master_weight))],
        "data": {name: base64.b64encode(data.value).decode() for name, data in entry.data.items()},
        "num_sponsoring": entry.sponsoring,
        "num_sponsored": entry.sponsored,
        **({"sponsor": entry.sponsor} if entry.sponsor else {}),
        "paging_token": entry.id,
    }


def account_flags(entry: Account) -> Body:
    """Show an account's flags."""
    return {
        "auth_required": bool(entry.flags & AUTH_REQUIRED),
        "auth_revocable": bool(entry.flags & AUTH_REVOCABLE),
        "auth_immutable": bool(entry.flags & AUTH_IMMUTABLE),
        "auth_clawback_enabled": bool(entry.flags & AUTH_CLAWBACK),
    }


def _balance(asset: str, line: Trustline) -> Body:
    body: Body = {
        "balance": amount(line.balance),
        "limit": amount(line.limit),
        "buying_liabilities": _ZERO,
        "selling_liabilities": _ZERO,
        "last_modified_ledger": line.last_modified,
        "is_authorized": line.is_authorized,
        "is_authorized_to_maintain_liabilities": line.is_authorized or bool(line.flags & LINE_MAINTAIN),
        **({"is_clawback_enabled": True} if line.flags & LINE_CLAWBACK else {}),
        **({"sponsor": line.sponsor} if line.sponsor else {}),
    }
    return body | asset_fields(asset)


def _lumens(entry: Account) -> Body:
    balance = {"balance": amount(entry.balance), "buying_liabilities": _ZERO, "selling_liabilities": _ZERO}
    return {**balance, "asset_type": "native"}


def _signer(signer: Signer) -> Body:
    body: Body = {"weight": signer.weight, "key": signer.key, "type": _KEY_TYPES[parts(signer.key).kind]}
    return body | ({"sponsor": signer.sponsor} if signer.sponsor else {})


def claimable(entry: Claimable, base: str, closed_at: Callable[[int], str]) -> Body:
    """Show a claimable balance."""
    own = f"{base}/claimable_balances/{entry.id}"
    paged = {name: {"href": f"{own}/{name}{{?cursor,limit,order}}", "templated": True} for name in ("transactions", "operations")}
    claimants = [
        {"destination": each.destination, "predicate": shown(xdr.ClaimPredicate.from_xdr_bytes(each.predicate))}
        for each in entry.claimants
    ]
    return {
        "_links": {"self": {"href": own}, **paged},
        "id": entry.id,
        "asset": entry.asset,
        "amount": amount(entry.amount),
        "sponsor": entry.sponsor,
        "last_modified_ledger": entry.last_modified,
        "last_modified_time": closed_at(entry.last_modified),
        "claimants": claimants,
        "flags": {"clawback_enabled": entry.is_clawback_enabled},
        "paging_token": f"{entry.last_modified}-{entry.id}",
    }


@dataclass(slots=True)
class Holdings:
    """How much of one asset there is, and with whom, by how far its holders are authorised."""

    accounts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LEVELS, 0))
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LEVELS, 0))
    claimables: int = 0
    set_aside: int = 0

    def add_line(self, line: Trustline) -> None:
        """Count a holder."""
        level = _LEVELS[0] if line.is_authorized else _LEVELS[1] if line.flags & LINE_MAINTAIN else _LEVELS[2]
        self.accounts[level] += 1
        self.balances[level] += line.balance


def asset(name: str, holdings: Holdings, issuer: Account | None) -> Body:
    """Show an asset."""
    code, _, owner = name.partition(":")
    domain = "" if issuer is None else issuer.home_domain
    return {
        "_links": {"toml": {"href": f"https://{domain}/.well-known/stellar.toml" if domain else ""}},
        **asset_fields(name),
        "paging_token": f"{code}_{owner}_{asset_type(name)}",
        "num_claimable_balances": holdings.claimables,
        "num_liquidity_pools": 0,
        "num_contracts": 0,
        "accounts": holdings.accounts,
        "claimable_balances_amount": amount(holdings.set_aside),
        "liquidity_pools_amount": _ZERO,
        "contracts_amount": _ZERO,
        "balances": {level: amount(balance) for level, balance in holdings.balances.items()},
        "flags": account_flags(issuer) if issuer is not None else account_flags(Account("", 0, 0, 0)),
    }
