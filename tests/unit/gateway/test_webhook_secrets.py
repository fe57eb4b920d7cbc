import base64
import hashlib
import hmac

from services.gateway.domain import api_keys
from services.gateway.domain.webhook_secrets import mint

PEPPER = b"pepper"


def test_a_secret_is_a_marked_key_of_32_bytes_under_the_pepper() -> None:
    expected = hmac.new(PEPPER, b"webhook-secret:cmd_1", hashlib.sha256).digest()
    assert mint(PEPPER, "cmd_1") == "whsec_" + base64.b64encode(expected).decode()


def test_the_same_command_makes_the_same_secret_and_another_another() -> None:
    made = {mint(PEPPER, "cmd_1"), mint(PEPPER, "cmd_1"), mint(PEPPER, "cmd_2"), mint(b"other", "cmd_1")}
    assert len(made) == 3


def test_an_api_key_of_the_same_command_shares_nothing_with_it() -> None:
    key = base64.b64decode(mint(PEPPER, "cmd_1").removeprefix("whsec_"))
    assert key != hmac.new(PEPPER, b"api-key:cmd_1", hashlib.sha256).digest()
    assert api_keys.digest(PEPPER, "cmd_1") != key
