"""Secrets are compared in constant time only: whoever can measure an ordinary comparison learns a secret byte by byte."""

import ast
import re

import pytest

from tests.architecture.test_house import PRODUCT, named, parsed

SECRET = re.compile(r"(^|_)(secrets?|digests?|tokens?|signatures?|passwords?|pepper|hmac|mac|master_key|signing_keys?)$")
ORDINARY = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)

PUBLIC = {
    "services/gateway/handlers/verify_records.py": "the digests of a chain are shown to whoever verifies it",
    "services/payouts/domain/envelope_xdr.py": "a transaction's hash is on the chain",
    "services/payouts/domain/ledger_chain.py": "the hashes of a chain are shown to everybody",
    "deploy/sandbox/horizon/chain/signatures.py": "the hash that a preimage must have stands on the ledger",
}
"""Files whose digests are no secrets, and why."""


def name_of(node: ast.expr) -> str:
    """What an operand is called: the last part of a name, of an attribute, of what is called or looked up."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    if isinstance(node, ast.Subscript):
        literal = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return literal if isinstance(literal, str) and literal else name_of(node.value)
    return getattr(node, "attr", "") or getattr(node, "id", "")


def ordinary_comparisons(tree: ast.AST) -> list[int]:
    """Lines on which something called like a secret is compared with `==`, `!=` or `in`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(operator, ORDINARY) for operator in node.ops):
            operands = [node.left, *node.comparators]
            if any(SECRET.search(name_of(operand)) for operand in operands):
                found.append(node.lineno)
    return found


def test_nothing_called_like_a_secret_is_compared_the_ordinary_way() -> None:
    """Use `hmac.compare_digest`; for what is no secret, find a better name."""
    found = {named(path): lines for path in PRODUCT if (lines := ordinary_comparisons(parsed(path)))}
    assert set(found) == set(PUBLIC), found


@pytest.mark.parametrize(
    "code",
    [
        "secret == given",
        "given != self._secret",
        "row['digest'] == digest",
        "sign(body).signature == header",
        "token in tokens",
        "headers['signature'] == expected",
        "hmac.digest(key, body, 'sha256') == given",
        "a < b == settings.master_key",
    ],
)
def test_such_a_comparison_is_noticed(code: str) -> None:
    assert ordinary_comparisons(ast.parse(code)) == [1]


@pytest.mark.parametrize("code", ["secret is None", "len(secret) == 5", "hmac.compare_digest(secret, given)", "name == 'secret'"])
def test_what_compares_no_secret_is_left_alone(code: str) -> None:
    assert ordinary_comparisons(ast.parse(code)) == []
