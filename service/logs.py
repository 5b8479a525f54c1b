"""Logging: JSON lines off a terminal, readable lines on one; never a secret.

One canonical line per unit of work (`listing.synced`, `cycle.ended`), with dotted event names.
"""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_KEY = re.compile(r"password|secret|token|authorization|cookie|access_key|credential", re.IGNORECASE)
_URL_SECRETS = re.compile(
    r"(?<=://)[^/\s@]+@|(?<=[?&])[^=\s&]*(?:sig|token|key|password)[^=\s&]*=[^\s&]+", re.IGNORECASE
)

HIDDEN = "[hidden]"


class Redactor:
    """A structlog processor that hides values by their key, by their shape, and the known secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # A secret of one or two characters would blank out half of every line and hides nothing.
        self._secrets = [secret for secret in secrets if len(secret) > 2]

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The event without secrets."""
        for key, value in event.items():
            if _SECRET_KEY.search(key):
                event[key] = HIDDEN
            elif isinstance(value, str):
                event[key] = self.clean(value)
        return event

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _URL_SECRETS.sub(HIDDEN, text)


def set_up_logs(secrets: Iterable[str] = (), *, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line to `stream` (standard error), the libraries' warnings included."""
    out = stream or sys.stderr
    terminal = out.isatty()
    redactor = Redactor(secrets)
    before: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[structlog.types.Processor] = (
        [redactor, structlog.dev.ConsoleRenderer(colors=terminal)]
        if terminal
        else [structlog.processors.format_exc_info, redactor, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=[_drop_meta, *after])
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _drop_meta(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(logger, method, event)
