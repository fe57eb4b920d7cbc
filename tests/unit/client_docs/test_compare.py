from typing import Any

import pytest

from tests.support.client_docs.compare import differences

INSTANT = "2026-01-12T10:00:00.000Z"


@pytest.mark.parametrize(
    ("printed", "actual"),
    [
        ({"a": 1}, {"a": 2, "b": 3}),
        ({"a": {"b": ["x"]}}, {"a": {"b": ["x", "y"]}}),
        (["..."], [{"id": 1}, {"id": 2}]),
        ("usr_abc123", "usr_01jd5x7p9w3k8m2n4q6r8s0t2v"),
        ("ohk_live_xxxx", "ohk_live_abcDEF"),
        (INSTANT, "2026-11-21T07:28:49.123Z"),
        ("abc123...", "8f14e45f"),
        (None, None),
        (True, True),
        (60, 59),
        ("OPEN", "OPEN"),
    ],
)
def test_what_may_vary_is_alike(printed: Any, actual: Any) -> None:
    assert differences(printed, actual) == []


@pytest.mark.parametrize(
    ("printed", "actual", "where"),
    [
        ({"a": {"b": 1}}, {"a": {}}, "$.a.b"),
        ({"a": 1}, {"a": "1"}, "$.a"),
        ({"a": 1}, {"a": True}, "$.a"),
        ({"a": 1}, {"a": 1.5}, "$.a"),
        ({"a": 1}, {"a": None}, "$.a"),
        ({"a": None}, {"a": "x"}, "$.a"),
        ({"a": True}, {"a": False}, "$.a"),
        (["..."], [], "$"),
        (["a", "b"], ["a"], "$"),
        ([{"a": "OPEN"}], [{"a": "SHUT"}], "$[0].a"),
        ("100.00", "100.0", "$"),
        ("usr_abc123", "ord_abc123", "$"),
        ("usr_abc123", "somebody", "$"),
        ("ohk_live_xxxx", "ohk_test_xxxx", "$"),
        (INSTANT, "2026-11-21T07:28:49Z", "$"),
        (INSTANT, "2026-11-21T07:28:49.123+00:00", "$"),
        ("abc123...", "", "$"),
        ({"a": 1}, [1], "$"),
    ],
)
def test_a_difference_is_told_with_its_place(printed: Any, actual: Any, where: str) -> None:
    found = differences(printed, actual)
    assert [line.split(": ")[0] for line in found] == [where]


def test_an_id_that_is_known_must_be_that_one() -> None:
    assert differences("usr_abc123", "usr_other", given=frozenset({"usr_abc123"})) != []
    assert differences("usr_abc123", "usr_abc123", given=frozenset({"usr_abc123"})) == []
