import base64

import pytest

from libs.common.kernel.webhook_keys import signing_key, spelled_key, standard_key


def test_a_marked_secret_is_its_own_signing_key() -> None:
    secret = spelled_key(bytes(range(32)))
    assert secret == "whsec_" + base64.b64encode(bytes(range(32))).decode()
    assert signing_key(secret) == secret
    assert standard_key(secret) == bytes(range(32))


def test_any_other_secret_is_text() -> None:
    assert standard_key("clé 😀") == "clé 😀".encode()
    assert signing_key("free text") == "whsec_" + base64.b64encode(b"free text").decode()


@pytest.mark.parametrize("secret", ["whsec_!!!!", "whsec_AAA", "whsec_clé="])
def test_a_marked_secret_that_is_not_base64_is_an_error(secret: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        signing_key(secret)
