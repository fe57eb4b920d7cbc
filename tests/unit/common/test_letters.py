"""Letters are opened by the service they are sealed for, for the owner they name, and by nobody else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.errors import InvariantViolationError
from libs.common.persistence.letters import Letterbox, seal_for

OLD, NEW = f"old:{'11' * 32}", f"new:{'22' * 32}"
BOX = Letterbox.parse(OLD)
SECRET = "your-webhook-secret"


@given(st.text(max_size=300))
def test_what_is_sealed_comes_out_as_it_was(secret: str) -> None:
    assert BOX.open(seal_for(BOX.address, secret, "acme:live", "wh_1"), "acme:live", "wh_1") == secret


def test_no_two_letters_are_the_same_and_none_shows_the_secret() -> None:
    letters = {seal_for(BOX.address, SECRET, "acme:live", "wh_1") for _ in range(20)}
    assert len(letters) == 20
    assert not any(SECRET in letter or base64.b64encode(SECRET.encode()).decode() in letter for letter in letters)


def test_after_a_rotation_old_letters_are_opened_and_new_ones_go_to_the_new_key() -> None:
    both = Letterbox.parse(f"{NEW},{OLD}")
    assert both.address.startswith("new.")
    assert both.open(seal_for(BOX.address, SECRET, "wh_1"), "wh_1") == SECRET


def test_an_address_tells_nothing_that_opens() -> None:
    assert "11" * 32 not in base64.b64decode(BOX.address.partition(".")[2]).hex()
    assert BOX.address == Letterbox.parse(OLD).address


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        (lambda letter: letter, ("acme:live", "wh_2")),
        (lambda letter: letter[:-4] + "AAA=", ("acme:live", "wh_1")),
        (lambda letter: "new" + letter[3:], ("acme:live", "wh_1")),
        (lambda letter: letter.partition(".")[0] + ".AAAA", ("acme:live", "wh_1")),
        (lambda letter: letter + "!", ("acme:live", "wh_1")),
        (lambda _: "", ("acme:live", "wh_1")),
    ],
    ids=["owner", "tag", "key", "short", "text", "empty"],
)
def test_anything_else_is_not_opened(change: object, owner: tuple[str, ...]) -> None:
    letter = change(seal_for(BOX.address, SECRET, "acme:live", "wh_1"))  # type: ignore[operator] # one of those above
    with pytest.raises(InvariantViolationError) as raised:
        BOX.open(letter, *owner)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("text", ["", "k", "k:12", f"{OLD},{OLD}"])
def test_malformed_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        Letterbox.parse(text)
    assert "11" * 32 not in str(raised.value)
