"""One bad envelope never spoils its neighbours in a frame."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.contracts.envelope import Envelope, encode, frame, open_reply, raw, reply_body, unframe
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant


def _envelope(number: int) -> Envelope:
    message = PostJournal("adjust", "USD", (Posting("platform:adjustments", "user:usr_1:available", number + 1),))
    return Envelope(f"jrn_{number}", "PostJournal", Tenant("default:live"), raw(message), reply_to="q", reference="r")


def test_a_frame_gives_back_its_envelopes_in_order() -> None:
    envelopes = [_envelope(number) for number in range(200)]
    good, bad = unframe(frame([encode(envelope) for envelope in envelopes]))
    assert bad == []
    assert [envelope.id for envelope in good] == [envelope.id for envelope in envelopes]
    assert bytes(good[7].body) == bytes(envelopes[7].body)


@given(st.lists(st.sampled_from(["good", "null", "{}", '{"id":1}', '"x"']), max_size=12))
def test_bad_envelopes_are_set_apart_and_the_good_ones_kept(kinds: list[str]) -> None:
    parts = [encode(_envelope(place)) if kind == "good" else kind.encode() for place, kind in enumerate(kinds)]
    good, bad = unframe(frame(parts))
    assert [envelope.id for envelope in good] == [f"jrn_{place}" for place, kind in enumerate(kinds) if kind == "good"]
    assert len(bad) == len(kinds) - len(good)
    assert all(reason for _, reason in bad)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_come_back_whole(body: bytes) -> None:
    good, bad = unframe(body)
    assert not good or body.lstrip().startswith(b"[")
    assert good or bad or body.strip() == b"[]" or body.split() == [b"[", b"]"]


def test_a_reply_is_a_result_or_a_refusal() -> None:
    refused = open_reply(Envelope("a", "Reply", Tenant(""), _body(Refusal("NO", "no", {"a": 1}))))
    assert refused.refusal == Refusal("NO", "no", {"a": 1})
    done = open_reply(Envelope("a", "Reply", Tenant(""), _body({"id": "x"})))
    assert done.refusal is None
    assert bytes(done.result) == b'{"id":"x"}'


def _body(outcome: object) -> msgspec.Raw:
    return msgspec.Raw(reply_body(outcome))
