"""Transactions that the sandbox itself makes for somebody, and hands in like anybody's."""

from typing import Final

from stellar_sdk import Account, Keypair, TransactionBuilder, xdr

from deploy.sandbox.horizon.ledger.codes import result_codes
from deploy.sandbox.horizon.node import Node
from deploy.sandbox.horizon.resources.problems import failed, submission_timeout
from deploy.sandbox.horizon.resources.transactions import Body

_WAIT_SECONDS: Final = 30.0


def begin(node: Node, source: Keypair) -> TransactionBuilder:
    """Begin a transaction of somebody's next sequence number."""
    holder = node.view().account(source.public_key)
    account = Account(source.public_key, 0 if holder is None else holder.sequence)
    fee = max(node.chain.base_fee, node.chain.least_bid)
    return TransactionBuilder(account, node.settings.passphrase, base_fee=fee).add_time_bounds(0, 0)


async def apply(node: Node, builder: TransactionBuilder, *signers: Keypair) -> Body:
    """Sign it, hand it in, and return it as it is in its ledger.

    Raises:
        Problem: the network refused it, or no ledger took it in time.
    """
    envelope = builder.build()
    for signer in signers:
        envelope.sign(signer)
    frame = node.chain.read(envelope.to_xdr())
    admission = node.offer(frame)
    if admission.result is not None:
        raise failed(frame.envelope_xdr, admission.result.to_xdr(), result_codes(admission.result))
    body = await node.outcome(frame.hash.hex(), seconds=_WAIT_SECONDS)
    if body is None:
        raise submission_timeout(frame.hash.hex(), frame.envelope_xdr)
    if not body["successful"]:
        result = str(body["result_xdr"])
        raise failed(frame.envelope_xdr, result, result_codes(xdr.TransactionResult.from_xdr(result)))
    return body
