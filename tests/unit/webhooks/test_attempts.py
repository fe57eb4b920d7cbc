"""What an attempt shows of an answer, which the receiver chose, and of the trouble that kept it away."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.replies.webhooks import ErrorClass
from services.webhooks.domain.attempts import as_text, error_class


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"thanks", "thanks"),
        ("gra\u00e7as \U0001f600".encode(), "gra\u00e7as \U0001f600"),
        (b"two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"nul\x00esc\x1b[31m", "nul\ufffdesc\ufffd[31m"),
        ("right\u202eleft".encode(), "right\ufffdleft"),
        ("\u00e9".encode()[:1], "\ufffd"),
    ],
)
def test_an_answer_is_shown_as_text_that_does_nothing(answer: bytes, shown: str) -> None:
    assert as_text(answer) == shown


@given(st.binary(max_size=1_024))
def test_any_answer_can_be_shown(answer: bytes) -> None:
    shown = as_text(answer)
    assert all(letter.isprintable() or letter in "\n\t" for letter in shown)
    assert json.loads(json.dumps(shown)) == shown


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, None),
        ("timeout", "timeout"),
        ("connection: ClientConnectorError", "connection"),
        ("tls: ClientConnectorCertificateError", "tls"),
        ("address: leads to an address that is not on the public Internet", "address"),
    ],
)
def test_an_error_begins_with_its_class(error: str | None, kind: str | None) -> None:
    assert error_class(error) == kind
    assert kind is None or kind in get_args(ErrorClass)
