"""Each check of the door is there for a reason: switched off, it turns the proof named beside it red."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import asyncpg
import pytest

from services.gateway.domain.access import Principal, allows, master
from services.gateway.domain.key_records import KeyRecord
from services.gateway.entrypoints.http.calls import Call
from services.gateway.store import keys as key_store
from tests.support import proofs
from tests.support.proofs import Proof
from tests.support.world import World

pytestmark = pytest.mark.integration
in_the_world = pytest.mark.asyncio(loop_scope="module")

Off = Callable[[pytest.MonkeyPatch], None]
GATEWAY = "services.gateway"


@dataclass(frozen=True)
class Check:
    """A check, how to switch it off, and what must fail then."""

    name: str
    off: Off
    proof: Proof


def instead(path: str, value: Any) -> Off:
    """Put something else in the place of a name."""
    return lambda patch: patch.setattr(f"{GATEWAY}.{path}", value)


def always(path: str, value: Any) -> Off:
    """Have a function answer the same to everybody."""
    return instead(path, lambda *_, **__: value)


def yes(path: str) -> Off:
    """Have a question answered with yes, whoever asks."""
    return always(path, value=True)


async def no(*_: object) -> bool:
    """Answer every question with no."""
    return False


def any_tenant(*statements: str) -> Off:
    """Take the tenant out of the conditions of statements on keys."""

    def off(patch: pytest.MonkeyPatch) -> None:
        for name in statements:
            sql = getattr(key_store, name)
            assert "tenant = $1" in sql
            patch.setattr(key_store, name, sql.replace("tenant = $1", "$1::text IS NOT NULL"))

    return off


def lists_of_any_tenant(patch: pytest.MonkeyPatch) -> None:
    """Take the tenant out of every list's condition, in every service."""
    real = asyncpg.Pool.fetch

    def fetch(pool: asyncpg.Pool, query: str, *arguments: Any, **options: Any) -> Any:
        return real(pool, re.sub(r"\b(\w\.)?tenant = \$1(?!\d)", "$1::text IS NOT NULL", query), *arguments, **options)

    patch.setattr(asyncpg.Pool, "fetch", fetch)


def anonymous_is_master(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Call, "principal", property(lambda call: call.who if isinstance(call.who, Principal) else master()))


def ends_only_by(field: str) -> Off:
    """Forget the other of a key's two ends when it is judged."""
    return lambda patch: patch.setattr(KeyRecord, "ends_at", property(attrgetter(field)))


def revoked_is_active(patch: pytest.MonkeyPatch) -> None:
    real = KeyRecord.status
    patch.setattr(KeyRecord, "status", lambda record, now: real(replace(record, revoked_at=None), now))


def without_key_id(patch: pytest.MonkeyPatch) -> None:
    real = Call.asked
    patch.setattr(Call, "asked", lambda *given, **named: replace(real(*given, **named), api_key_id=""))


def support_is_master(principal: Principal, wanted: Any) -> bool:
    return allows(principal, wanted) or wanted == "master"


CHECKS = (
    Check("a route asks for a key", anonymous_is_master, proofs.without_a_key_nothing_is_done),
    Check("a key is one of ours", always("handlers.authenticate.judge", master()), proofs.an_unknown_key_is_nobodys),
    Check("the master key is compared", yes("handlers.authenticate.hmac.compare_digest"), proofs.an_unknown_key_is_nobodys),
    Check("expiry", ends_only_by("retires_at"), proofs.an_expired_key_is_refused),
    Check("retirement", ends_only_by("expires_at"), proofs.a_replaced_key_is_refused_when_its_overlap_is_over),
    Check("revocation", revoked_is_active, proofs.a_revoked_key_is_refused),
    Check(
        "keys are looked up again",
        instead("handlers.authenticate.CACHE_SECONDS", 3600.0),
        proofs.a_key_that_another_process_revoked_is_refused_soon,
    ),
    Check("addresses", yes("handlers.authenticate.is_within"), proofs.a_key_bound_to_an_address_is_refused_elsewhere),
    Check("trusted proxies", yes("domain.addresses.is_within"), proofs.a_stranger_can_not_say_it_is_a_proxy),
    Check("scopes: write", yes("entrypoints.http.calls.allows"), proofs.a_reader_can_not_write),
    Check("scopes: support", yes("entrypoints.http.calls.allows"), proofs.a_writer_can_not_credit),
    Check("scopes: a user's status", yes("entrypoints.http.calls.allows"), proofs.a_writer_can_not_suspend),
    Check("scopes: master", instead("entrypoints.http.calls.allows", support_is_master), proofs.only_the_master_key_pauses),
    Check("tenant", always("domain.access.tenant_of", "shop:live"), proofs.another_marketplaces_order_is_unknown),
    Check(
        "mode, of test keys",
        instead("domain.access.tenant_of", lambda marketplace, _: f"{marketplace}:live"),
        proofs.a_test_key_touches_no_live_row,
    ),
    Check(
        "mode, of live keys",
        instead("domain.access.tenant_of", lambda marketplace, _: f"{marketplace}:test"),
        proofs.a_live_key_touches_no_test_row,
    ),
    Check(
        "whose keys: marketplace",
        always("handlers.api_keys.ApiKeys.tenant_for", ("rival", "live")),
        proofs.a_support_key_names_no_other_marketplace,
    ),
    Check(
        "whose keys: mode",
        always("handlers.api_keys.ApiKeys.tenant_for", ("shop", "live")),
        proofs.a_test_key_makes_no_live_key,
    ),
    Check("whose keys: get", any_tenant("_GET"), proofs.another_marketplaces_key_is_unknown),
    Check("whose keys: revoke", any_tenant("_GET", "_REVOKE"), proofs.another_marketplaces_key_is_not_revoked),
    Check("whose keys: list", lists_of_any_tenant, proofs.other_marketplaces_keys_are_not_listed),
    *(
        Check(f"whose rows: {path}", lists_of_any_tenant, proofs.nothing_of_others_is_listed(path))
        for path in ("/users", "/orders", "/disputes", "/webhooks", "/events", "/audit/logs")
    ),
    Check("more scopes, made", always("handlers.api_keys.check_not_more", None), proofs.nobody_makes_a_key_with_more_scopes),
    Check(
        "more scopes, rotated",
        always("handlers.api_keys.check_not_more", None),
        proofs.nobody_rotates_itself_a_key_with_more_scopes,
    ),
    Check("longer than its maker", always("handlers.api_keys.expiry_under", None), proofs.a_key_makes_none_that_outlives_it),
    Check("wider than its maker", always("handlers.api_keys.networks_under", []), proofs.a_key_makes_none_for_other_addresses),
    Check("the owner of an Idempotency-Key", without_key_id, proofs.an_idempotency_key_is_its_owners),
    Check(
        "the request of an Idempotency-Key",
        always("entrypoints.http.calls.fingerprint", b"any"),
        proofs.an_idempotency_key_is_its_requests,
    ),
    Check("guesses are counted", always("clients.attempts.Attempts.wait", 0), proofs.whoever_guesses_waits),
    Check(
        "known keys pass a block",
        instead("clients.attempts.Attempts.is_known", no),
        proofs.whoever_was_there_before_does_not_wait,
    ),
    Check("maintenance", always("handlers.maintenance.MaintenanceMode.check", None), proofs.writes_wait_in_a_maintenance),
    Check(
        "open answers ask again",
        instead("store.keys._ENDED", key_store._ENDED.replace("k.expires_at", "NULL")),
        proofs.a_long_answer_ends_with_its_key,
    ),
)
NAMED = [pytest.param(check, id=check.name) for check in CHECKS]


@in_the_world
@pytest.mark.parametrize("check", NAMED)
async def test_a_check_holds(world: World, monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    await check.proof(world, monkeypatch)


@in_the_world
@pytest.mark.parametrize("check", NAMED)
async def test_without_the_check_its_proof_fails(world: World, monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    authenticator = world.served.gateway.authenticator
    authenticator.forget()
    check.off(monkeypatch)
    try:
        with pytest.raises(AssertionError):
            await check.proof(world, monkeypatch)
    finally:
        monkeypatch.undo()
        authenticator.forget()


def test_every_proof_is_used() -> None:
    asked = {name for name, thing in vars(proofs).items() if getattr(thing, "__module__", "") == proofs.__name__}
    helpers = {"call", "is_refused", "nothing_of_others_is_listed"}
    assert asked - helpers == {check.proof.__name__ for check in CHECKS} - {"proof"}
    assert len({check.name for check in CHECKS}) == len(CHECKS)
