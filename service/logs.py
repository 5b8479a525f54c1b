"""Logging: JSON lines off a terminal, readable lines on one; never a secret.

One canonical line per unit of work (`listing.synced`, `cycle.ended`), with dotted event names. What
hides secrets here hides them in errors, too: servers repeat a request in their error pages.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from html import escape
from typing import Any, TextIO
from urllib.parse import quote

import structlog

_SECRET_KEY = re.compile(r"password|secret|token|authorization|cookie|access_key|credential", re.IGNORECASE)

HIDDEN = "[hidden]"

SHORTEST_HALF = 4
"""Characters of a secret that was cut which give something of it away."""

_IN_URLS = "sig|token|key|pass|auth|cred|secret|session|policy|hmac"
_IN_TEXTS = "api[_-]?key|access[_-]?key|credential|nonce|opaque|passw(?:or)?d|pwd|secret|session[_-]?id"
_IN_TEXTS += "|signature|token"

# Each keeps group 1. All are linear: texts come from outside, and may be long.
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"(://)[^/\s@\"'<>]++@",
        # A signature or token among the parameters of a URL.
        rf"([?&;](?=[^=\s&?;]*?(?:{_IN_URLS}))[^=\s&?;]++=)[^\s&\"'<>]++",
        # Headers, to the end of their line.
        r"((?:authorization|cookie2?)[\"']?\s*+[=:]\s*+)[^\r\n<]++",
        r"(\bdigest\s++(?=\w++\s*+=))[^\r\n<]++",
        r"(\b(?:basic|bearer)\s++)(?=\S*[\d=+/.])[\w+/=.~-]{8,}+",
        # Beside a telling name; `password_env` tells of a key of the configuration.
        (
            rf"((?:{_IN_TEXTS})(?!\w{{0,64}}+(?:(?<=_env)|(?<=_file)))[\w-]{{0,64}}+[\"']?\s*+[=:]\s*+[\"']?)"
            r"[^\s\"'<>&;,]++"
        ),
        r"(?<![\w-])()eyJ[\w-]++\.[\w-]++\.[\w-]*+",  # RFC 7519: a JSON web token
    )
)


class Redactor:
    """A structlog processor that hides values by their key, by their shape, and the known secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = _forms(secrets)

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The event without secrets."""
        event.update(self._clean_pairs(event))
        return event

    def clean(self, text: str, more: Iterable[str] = ()) -> str:
        """The text without the known secrets, `more` of them, and what looks like one."""
        for secret in (*_forms(more), *self._known):
            text = text.replace(secret, HIDDEN)
        for shape in _SHAPES:
            text = shape.sub(rf"\1{HIDDEN}", text)
        return text

    def clean_cut(self, text: str, more: Iterable[str] = ()) -> str:
        """The same for a text that may have been cut at its end, in the middle of a secret."""
        known = (*_forms(more), *self._known)
        whole = text.rstrip("'\"")
        for secret in known:
            for length in range(len(secret) - 1, SHORTEST_HALF - 1, -1):
                if whole.endswith(secret[:length]):
                    return self.clean(whole[:-length], more) + HIDDEN + text[len(whole) :]
        return self.clean(text, more)

    def _clean_pairs(self, pairs: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: HIDDEN if _SECRET_KEY.search(str(key)) else self._clean_value(value)
            for key, value in pairs.items()
        }

    def _clean_value(self, value: Any) -> Any:
        """Any other object is written as its repr, which may say anything."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.clean(value)
            case Mapping():
                return self._clean_pairs(value)
            case list() | tuple() | set() | frozenset():
                return [self._clean_value(item) for item in value]
        return self.clean(repr(value))


def _forms(secrets: Iterable[str]) -> list[str]:
    """Secrets as they may stand in a text: plain, in a URL, in XML, in JSON; the longest first."""
    # One of one or two characters would blank out half of every line and hides nothing.
    plain = [secret for secret in secrets if len(secret) > 2]
    forms = {form for text in plain for form in (text, quote(text, safe=""), quote(text), escape(text))}
    return sorted(forms | {json.dumps(text)[1:-1] for text in plain}, key=len, reverse=True)


def visible(text: str) -> str:
    """Text that moves no cursor: what does not print stands as its escape, a line end too."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _make_visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal: the words of a feed must neither move its cursor nor change its colours."""
    for key, value in event.items():
        if key == "exception":
            event[key] = "\n".join(map(visible, str(value).splitlines()))
        elif isinstance(value, str):
            event[key] = visible(value)
    return event


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
    # The prettier tracebacks show local variables, and those may be secrets.
    plain = structlog.dev.plain_traceback
    after: list[structlog.types.Processor] = [
        structlog.processors.format_exc_info,
        redactor,
        *(
            [_make_visible, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
            if terminal
            else [structlog.processors.JSONRenderer()]
        ),
    ]
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
