"""Handles that play other people: somebody with an account, somebody who pays. Loopback only; the secrets are worth nothing."""

from typing import Annotated

import msgspec
from aiohttp import web
from stellar_sdk import Asset, Keypair, StrKey

from deploy.sandbox.horizon.endpoints.control import read_body
from deploy.sandbox.horizon.endpoints.friendbot import FRIENDBOT, LUMENS
from deploy.sandbox.horizon.endpoints.own_transactions import apply, begin
from deploy.sandbox.horizon.resources.problems import bad_request
from deploy.sandbox.horizon.serving import NODE, answer

AssetName = Annotated[str, msgspec.Meta(pattern=r"^(native|[A-Za-z0-9]{1,12}:G[A-Z2-7]{55})$")]


class NewPerson(msgspec.Struct, forbid_unknown_fields=True):
    """An account with 10,000 lumens, which holds these assets (`CODE:ISSUER`)."""

    trusts: Annotated[list[AssetName], msgspec.Meta(max_length=10)] = []


class NewPayment(msgspec.Struct, forbid_unknown_fields=True):
    """A payment by whoever has the secret."""

    secret: str
    to: str
    amount: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,7})?$")]
    asset: AssetName = "native"
    memo: str | None = None
    """Of text."""


async def make(request: web.Request) -> web.StreamResponse:
    """Make somebody with an account, and tell its address and its secret.

    Raises:
        Problem: an asset is none, or no ledger took it in time.
    """
    node, wanted = request.app[NODE], await read_body(request, NewPerson)
    person = Keypair.random()
    async with request.app[FRIENDBOT].busy:  # the root account is Friendbot's too
        builder = begin(node, node.root).append_create_account_op(person.public_key, LUMENS)
        for name in wanted.trusts:
            builder.append_change_trust_op(_asset(name), source=person.public_key)
        done = await apply(node, builder, node.root, *([person] if wanted.trusts else []))
    return answer({"address": person.public_key, "secret": person.secret, "hash": done["hash"]}, status=201)


async def pay(request: web.Request) -> web.StreamResponse:
    """Pay, and tell the transaction's hash and ledger.

    Raises:
        Problem: something of it is not understood, the network refused it, or no ledger took it in time.
    """
    node, wanted = request.app[NODE], await read_body(request, NewPayment)
    if not StrKey.is_valid_ed25519_secret_seed(wanted.secret):
        raise bad_request("secret", "invalid secret")
    if not (StrKey.is_valid_ed25519_public_key(wanted.to) or StrKey.is_valid_med25519_public_key(wanted.to)):
        raise bad_request("to", "invalid address")
    payer = Keypair.from_secret(wanted.secret)
    async with request.app[FRIENDBOT].busy:  # one at a time: each payer has one next sequence number
        builder = begin(node, payer).append_payment_op(wanted.to, _asset(wanted.asset), wanted.amount)
        if wanted.memo is not None:
            builder.add_text_memo(wanted.memo)
        done = await apply(node, builder, payer)
    return answer({"hash": done["hash"], "ledger": done["ledger"]}, status=201)


def _asset(name: str) -> Asset:
    try:
        return Asset.native() if name == "native" else Asset(*name.split(":"))
    except ValueError as error:
        raise bad_request("asset", str(error)) from None
