"""What payouts is told of its Stellar network must be whole, and must fit together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stellar_sdk import Keypair, StrKey

from services.payouts.domain.strkey import is_account, is_secret, seed_of
from services.payouts.settings import PayoutsSettings
from tests.support.chain import key
from tests.support.payouts import PAYOUTS, signer_settings

TESTNET = "Test SDF Network ; September 2015"
MAINNET = "Public Global Stellar Network ; September 2015"
TESTNET_USDC = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
MAINNET_USDC = "GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN"


def read(**others: Any) -> PayoutsSettings:
    values: dict[str, Any] = {"database_url": "postgresql://h/d", **PAYOUTS, **others}
    return PayoutsSettings(**values)


def test_a_sandbox_on_this_machine_and_the_public_networks_are_taken() -> None:
    assert read().network == "testnet"
    far = "https://horizon.stellar.org"
    assert read(horizon_url=far, network="mainnet", network_passphrase=MAINNET, usdc_issuer=MAINNET_USDC).horizon_url == far
    assert read(horizon_url=far, network_passphrase=TESTNET, usdc_issuer=TESTNET_USDC).network == "testnet"


@pytest.mark.parametrize(
    "missing", ["STELLAR_NETWORK", "STELLAR_HORIZON_URL", "STELLAR_NETWORK_PASSPHRASE", "STELLAR_USDC_ISSUER"]
)
def test_nothing_of_the_network_is_assumed(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "DATABASE_URL": "postgresql://h/d",
        "OFFERHUB_SIGNER_SOCKET": "/run/signer.sock",
        "STELLAR_NETWORK": "testnet",
        "STELLAR_HORIZON_URL": "http://127.0.0.1:9",
        "STELLAR_NETWORK_PASSPHRASE": TESTNET,
        "STELLAR_USDC_ISSUER": TESTNET_USDC,
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert PayoutsSettings.read().usdc_issuer == TESTNET_USDC
    monkeypatch.delenv(missing)
    with pytest.raises(ValidationError, match=missing):
        PayoutsSettings.read()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"usdc_issuer": "GABC"}, "STELLAR_USDC_ISSUER is no Stellar account"),
        ({"usdc_issuer": TESTNET_USDC[:-1] + "A"}, "STELLAR_USDC_ISSUER is no Stellar account"),
        ({"usdc_issuer": MAINNET_USDC}, "STELLAR_USDC_ISSUER issues on mainnet"),
        ({"horizon_url": "http://horizon.example"}, "STELLAR_HORIZON_URL must begin with https"),
        ({"horizon_url": "ftp://127.0.0.1"}, "STELLAR_HORIZON_URL must begin with https"),
        ({"network_passphrase": MAINNET}, "STELLAR_NETWORK_PASSPHRASE is not that of testnet"),
        ({"network": "mainnet"}, "STELLAR_NETWORK_PASSPHRASE is not that of mainnet"),
        ({"network": "mainnet", "network_passphrase": MAINNET, "usdc_issuer": TESTNET_USDC}, "issues on testnet"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        read(**wrong)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 55), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_addresses_and_secrets_are_told_apart_as_stellars_own_library_does(seed: bytes, place: int, letter: str) -> None:
    pair = Keypair.from_raw_ed25519_seed(seed)
    assert (is_account(pair.public_key), is_secret(pair.public_key)) == (True, False)
    assert (is_account(pair.secret), is_secret(pair.secret)) == (False, True)
    assert seed_of(pair.secret) == seed
    typed = pair.public_key[:place] + letter + pair.public_key[place + 1 :]
    assert is_account(typed) == StrKey.is_valid_ed25519_public_key(typed)


@pytest.mark.parametrize(
    "text", ["", "G", "g" * 56, "G" * 56, "ä" * 56, "GBBD 7IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"]
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert not is_account(text)


@pytest.mark.parametrize("name", ["sponsor_secret", "treasury_secret"])
@pytest.mark.parametrize("wrong", ["", "S", key("a").public_key, f"{key('a').secret}A"])
def test_a_secret_that_is_none_is_refused_and_not_shown(name: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match="no Stellar secret") as refused:
        signer_settings("postgresql://h/d", **{name: wrong})
    assert not wrong or wrong not in str(refused.value) or len(wrong) == 1


def test_the_users_who_may_ask_are_read_from_their_ids() -> None:
    assert signer_settings("postgresql://h/d", peers="1000, 33").peers == (1000, 33)
    assert signer_settings("postgresql://h/d", peers="").peers == ()
    with pytest.raises(ValidationError):
        signer_settings("postgresql://h/d", peers="root")
