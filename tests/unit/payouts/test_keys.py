"""Our text form of keys is Stellar's."""

from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Keypair as TheirKeypair

from libs.common.persistence.sealing import KeyRing
from services.payouts.clients.key_provider import EnvironmentKeys
from services.payouts.clients.keys import keypair_from, minting


@given(st.binary(min_size=32, max_size=32))
def test_a_key_pair_is_the_one_stellars_own_library_makes(seed: bytes) -> None:
    ours, theirs = keypair_from(seed), TheirKeypair.from_raw_ed25519_seed(seed)
    assert (ours.public_key, ours.secret) == (theirs.public_key, theirs.secret)


def test_a_key_pair_never_prints_its_secret() -> None:
    pair = minting(bytes)()
    assert pair.secret not in repr(pair)


def test_what_was_sealed_before_keys_had_versions_is_opened_when_a_second_version_is_in_front() -> None:
    """A rotation begins while an older version's secrets are still being taken over."""
    old, new = f"local:{'6b' * 32}", f"local.2:{'7c' * 32}"
    sealed = KeyRing.parse(old, entropy=bytes).seal(b"seed", "a:live", "usr_1")
    for keys in (old, f"{new},{old}", f"{old},{new}"):
        assert EnvironmentKeys.parse(keys, entropy=bytes).legacy.open(sealed, "a:live", "usr_1") == b"seed"
