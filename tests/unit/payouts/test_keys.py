"""Our text form of keys is Stellar's."""

from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Keypair as TheirKeypair

from services.payouts.clients.keys import keypair_from, minting


@given(st.binary(min_size=32, max_size=32))
def test_a_key_pair_is_the_one_stellars_own_library_makes(seed: bytes) -> None:
    ours, theirs = keypair_from(seed), TheirKeypair.from_raw_ed25519_seed(seed)
    assert (ours.public_key, ours.secret) == (theirs.public_key, theirs.secret)


def test_a_key_pair_never_prints_its_secret() -> None:
    pair = minting(bytes)()
    assert pair.secret not in repr(pair)
