"""Structured logs: one JSON object a line, dotted event names, ids always, secrets never."""

import logging
import sys

import structlog

_SECRET_WORDS = ("secret", "password", "authorization", "master_key", "pepper", "api_key", "private")


def start_logging(*, service: str, instance: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to stdout as JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stdout, format='{"level":"%(levelname)s","logger":"%(name)s","event":%(message)r}'
    )


def _mask(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name in event:
        if any(word in name for word in _SECRET_WORDS):
            event[name] = "***"
    return event
