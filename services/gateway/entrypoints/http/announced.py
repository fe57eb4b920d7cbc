"""The events, as the `webhooks` of the document: what is posted to endpoints, and streamed."""

from typing import Any, Final

import msgspec

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.replies.kinds import INSTANT_PATTERN
from services.gateway.entrypoints.http.examples_of_events import MEANINGS, data_of
from services.gateway.entrypoints.http.responses import JSON
from services.gateway.entrypoints.http.schemas import Schema, ref, reply_schemas

TAG: Final = "Events"
_CHALLENGE: Final = "X-OfferHub-Challenge"
HEADERS: Final[dict[str, Schema]] = {
    name: {"name": name, "in": "header", "required": name != _CHALLENGE, "description": text, "schema": {"type": "string"}}
    for name, text in {
        "webhook-id": "The event's id, the same at every attempt: what to know a repeat by",
        "webhook-timestamp": "The Unix second of this attempt",
        "webhook-signature": "`v1,` and the signature of id, timestamp and body under `signing_key`, one for each secret",
        "X-OfferHub-Event": "The event's type",
        "X-OfferHub-Delivery": "The delivery's id: this event to this endpoint",
        "X-OfferHub-Attempt": "Which attempt this is: 1, 2, 3 …",
        "X-OfferHub-Signature": "`sha256=` and the HMAC of the body under the endpoint's secret, in hexadecimal",
        _CHALLENGE: "While the endpoint has no `verified_at`: repeat it in a header of your answer to show that you want these",
    }.items()
}
_ANSWERS: Final = {
    "2XX": {
        "description": "Received. Anything else, or nothing within ten seconds, is tried again.",
        "headers": {
            _CHALLENGE: {
                "description": "The one that came, if any: then the endpoint gets its `verified_at`",
                "schema": {"type": "string"},
            }
        },
    },
    "410": {"description": "The endpoint is gone for good: nothing is sent to it any more."},
}


def announced() -> dict[str, Schema]:
    """Describe every event by its name."""
    return {name: {"post": _event(name, kind)} for name, kind in EVENTS.items()}


def event_schemas() -> dict[str, Schema]:
    """Describe the data of events, by the name of its kind."""
    return reply_schemas(sorted(set(EVENTS.values()), key=lambda kind: kind.__name__))


def _event(name: str, kind: type[msgspec.Struct]) -> Schema:
    properties = {
        "id": {"type": "string", "pattern": "^evt_[0-9A-Za-z]{1,64}$"},
        "type": {"type": "string", "const": name},
        "created_at": {"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN},
        "sequence": {"type": "integer", "minimum": 1, "description": "Counts 1, 2, 3 … on what it happened to"},
        "data": ref(kind.__name__),
    }
    return {
        "tags": [TAG],
        "operationId": f"on_{name.replace('.', '_')}",
        "summary": MEANINGS.get(name, name),
        "parameters": [{"$ref": f"#/components/parameters/{header}"} for header in HEADERS],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"type": "object", "required": list(properties), "properties": properties},
                    "example": example(name, kind.__name__),
                }
            },
        },
        "responses": _ANSWERS,
        "security": [],
    }


def example(name: str, kind: str) -> dict[str, Any]:
    """Show an event as it is posted."""
    about = {"id": "evt_abc123", "type": name, "created_at": "2026-02-10T16:00:00.000Z", "sequence": 7}
    return about | {"data": data_of(name, kind)}
