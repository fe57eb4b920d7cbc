import json

import pytest

from services.gateway.domain.documents import DocumentError, read_document


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_document(b"") == {}


def test_plain_json_comes_back_as_it_is() -> None:
    assert read_document('{"a": {"b": [1, 2.5, "é", null, true]}, "c": "\\u00e9"}'.encode()) == {
        "a": {"b": [1, 2.5, "é", None, True]},
        "c": "é",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"5", b'"text"', b"null", b"{", b"{}x", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e400}',
        b'{"a": 9223372036854775808}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\xff"}', b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\x00"}', b'{"a": "\\u0000"}', b'{"\\u0000": 1}', b'{"a": "\\ud800"}', b'{"a": ["\\udfff"]}',
        '{"a": 1}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_what_parsers_disagree_on_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_document(body)


@pytest.mark.parametrize("body", [b'{"amount": "1", "amount": "2"}', b'{"m": [{"amount": "1", "amount": "1"}]}'])
def test_a_field_that_is_there_twice_is_named(body: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(body)
    assert caught.value.field == "amount"


@pytest.mark.parametrize("depth", [33, 10_000, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    for body in (b'{"a":' + b"[" * depth + b"]" * depth + b"}", b'{"a":' * depth + b"1" + b"}" * depth, b"{" + b"[" * depth):
        with pytest.raises(DocumentError):
            read_document(body)


def test_brackets_in_text_are_not_depth() -> None:
    document = {"a": [[]], "b": '[{"\\"' * 100}
    assert read_document(json.dumps(document).encode()) == document


def test_many_flat_objects_are_no_depth() -> None:
    assert len(read_document(b'{"a": [' + b",".join([b"{}"] * 500) + b"]}")["a"]) == 500


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert read_document(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}
