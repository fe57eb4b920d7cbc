import pytest

from services.gateway.domain.access import GRANTABLE, Principal, Scope, allows, master
from services.gateway.domain.api_keys import digest, hint, is_well_formed, mask, mint

PEPPER = b"pepper"


def test_a_key_says_its_mode_and_is_well_formed() -> None:
    for mode in ("live", "test"):
        key = mint(PEPPER, "cmd_1", mode)
        assert key.startswith(f"ohk_{mode}_")
        assert len(key) == len("ohk_live_") + 49
        assert is_well_formed(key)


def test_the_same_command_makes_the_same_key_and_another_another() -> None:
    assert mint(PEPPER, "cmd_1", "live") == mint(PEPPER, "cmd_1", "live")
    others = {mint(PEPPER, "cmd_2", "live"), mint(b"other", "cmd_1", "live"), mint(PEPPER, "cmd_1", "test")}
    assert mint(PEPPER, "cmd_1", "live") not in others
    assert len(others) == 3


@pytest.mark.parametrize("place", range(9, 58))
def test_a_typing_error_anywhere_is_caught(place: int) -> None:
    key = mint(PEPPER, "cmd_1", "live")
    other = "A" if key[place] != "A" else "B"
    assert not is_well_formed(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "ohk_live_", "ohk_prod_" + "0" * 49, "ohk_live_" + "é" * 49, mint(PEPPER, "c", "live") + "\n"]
)
def test_what_is_no_key_is_told_by_its_form(text: str) -> None:
    assert not is_well_formed(text)


def test_a_key_anywhere_in_a_text_is_masked() -> None:
    key = mint(PEPPER, "cmd_1", "live")
    for text in (key, f"/api/v1/auth/api-keys/{key}", f"?api_key={key}&x=1", key[:-1], f"{key},{key}", "ohk_master_" + "0a" * 24):
        assert key[13:-1] not in mask(text)
        assert len(mask(text)) < len(text)
    assert mask(key) == hint(key)
    for text in ("", "ohk_live_", "ohk_live_your_api_key", "ord_01jd5x7p9w3k8m2n4q6r8s0t2v", hint(key)):
        assert mask(text) == text


def test_the_hash_depends_on_the_pepper_and_the_hint_shows_little() -> None:
    key = mint(PEPPER, "cmd_1", "live")
    assert digest(PEPPER, key) != digest(b"other", key)
    assert hint(key) == key[:13] + "…"


def test_scopes_are_independent_of_each_other() -> None:
    for held in GRANTABLE:
        principal = Principal("key_1", "n", "default", "live", frozenset({held}))
        assert [scope for scope in GRANTABLE if allows(principal, scope)] == [held]
        assert allows(principal, Scope.ANY)


def test_the_master_key_has_every_scope_on_the_default_marketplace() -> None:
    assert all(allows(master(), scope) for scope in Scope)
    assert master().tenant == "default:live"
