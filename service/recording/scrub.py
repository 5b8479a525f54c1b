"""What must not be written down, and what stands in its place.

Headers are kept by name, since nobody knows what the next server calls its token. In a text, known
secrets go wherever they stand; what only looks like one goes from URLs and from beside a telling name.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import Self
from urllib.parse import quote, urlsplit

from parsers.mime import Headers
from service.rets_config import RetsFeed

SCRUBBED = "scrubbed"
NEUTRAL_HOST = b"mls.example"

SHORTEST_SECRET = 3
"""Characters; a shorter one stands in half of all words, and hides nothing."""

SHORTEST_COOKIE = 8
"""Characters of a cookie's value that may be a session; shorter ones say `en` or `true`."""

CAPTION_HEADERS = frozenset(
    {"content-description", "content-label", "content-sub-description", "description", "objectdata"}
)
"""Headers of an object in which somebody wrote something about it."""

KEPT_HEADERS = CAPTION_HEADERS | {
    "content-id",
    "content-length",
    "content-transfer-encoding",
    "content-type",
    "location",
    "mime-version",
    "object-id",
    "preferred",
    "rets-error",
    "rets-version",
}
"""Headers that mean something to a RETS client (RETS 1.8, section 5). The value of any other is dropped."""

# What ends a comment or a CDATA section belongs to no value.
_HERE = rb"(?!-->|\]\]>)"

# Runs are possessive and bounded: a text of a megabyte without a blank must not take minutes.
_LOOKS = (
    (re.compile(rb"(?<=://)[^/\s@\"'<>]++@"), b""),
    (re.compile(rb"(?<=[\w/.~-])\?(?:%b[^\s\"'<>])++" % _HERE), b"?scrubbed"),
    (  # to the end of the line, or of the attribute that it stands in
        re.compile(
            rb"""((?:authorization|cookie2?)["']?[ \t]*+[=:])(?:="[^"\r\n<]*+"|%b[^\r\n<"'])++""" % _HERE,
            re.IGNORECASE,
        ),
        rb"\1 scrubbed",
    ),
    (
        re.compile(
            rb"""((?:api[_-]?key|access[_-]?key|credential|nonce|opaque|passw(?:or)?d|secret|session[_-]?id
            |signature|token)[\w-]{0,64}+["']?[ \t]*+[=:>][ \t]*+["']?)(?:%b[^\s"'<>&;,])++"""
            % _HERE,
            re.IGNORECASE | re.VERBOSE,
        ),
        rb"\1scrubbed",
    ),
    (re.compile(rb"((?:basic|bearer|digest)[ \t]++)[\w+/=.~-]{12,}+", re.IGNORECASE), rb"\1scrubbed"),
    (re.compile(rb"\beyJ[\w-]++\.[\w-]++\.[\w-]*+"), b"scrubbed"),  # RFC 7519: a JSON web token
    (re.compile(rb"(?<![\w.+%'-])[\w.+%'-]++@[A-Za-z0-9]++(?:[.-][A-Za-z0-9]++)++"), b"scrubbed"),
)


class Scrubber:
    """Takes secrets out of texts. `secrets` go wherever they stand, `words` where they stand alone."""

    def __init__(
        self, secrets: Iterable[str] = (), words: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        self._secrets = {form for secret in secrets for form in _forms(secret)}
        self._words = _one_of(rb"(?<!\w)(?:%b)(?!\w)", (word.encode() for word in words))
        self._hosts = _one_of(rb"(?<![\w.-])(?:%b)(?![\w-])", (host.encode() for host in hosts))
        self._known = _one_of(rb"%b", self._secrets)

    @classmethod
    def of_feed(cls, settings: RetsFeed) -> Self:
        """For one account: its passwords, its name, its hosts."""
        password, agent = settings.password.get_secret_value(), settings.user_agent_password
        secrets = [password, b64encode(f"{settings.username}:{password}".encode()).decode()]
        if agent is not None:
            secrets.append(agent.get_secret_value())
        hosts = [urlsplit(settings.login_url).hostname or "", *settings.hosts]
        # A host of one word, as inside a network, may be a word of the answers: `rets`.
        dotted = (name for host in hosts if "." in (name := host.partition(":")[0]))
        return cls(secrets, [settings.username], dotted)

    def learn(self, cookies: Iterable[str]) -> None:
        """The session's cookies are secrets from here on."""
        values = (cookie.strip('"') for cookie in cookies if len(cookie) >= SHORTEST_COOKIE)
        forms = {form for value in values for form in _forms(value)}
        if not forms <= self._secrets:
            self._secrets |= forms
            self._known = _one_of(rb"%b", self._secrets)

    def knows(self, text: str) -> bool:
        """Whether the text holds one of the known secrets, words or hosts."""
        return self.without_known(text.encode()) != text.encode()

    def clean(self, text: bytes) -> bytes:
        """The text without secrets. It must begin and end where no word does."""
        text = self.without_known(text)
        for pattern, word in _LOOKS:
            text = pattern.sub(word, text)
        return text

    def without_known(self, text: bytes) -> bytes:
        """The text without what the account knows as secret; what only looks like a secret stays."""
        scrubbed = SCRUBBED.encode()
        known = ((self._known, scrubbed), (self._words, scrubbed), (self._hosts, NEUTRAL_HOST))
        for pattern, word in known:
            text = pattern.sub(word, text) if pattern else text
        return text

    def clean_words(self, text: str) -> str:
        """As `clean`, for what is text already."""
        return self.clean(text.encode()).decode()

    def clean_head(self, headers: Headers, *, people: bool) -> Headers:
        """The headers of an answer, without those of its transfer: the recording's body is plain."""
        dropped = {"content-length"} | (CAPTION_HEADERS if people else set())
        kept = KEPT_HEADERS - dropped
        return Headers((name, self._value(name, value)) for name, value in headers if name.lower() in kept)

    def _value(self, name: str, value: str) -> str:
        # A boundary may look like an address, and must stay what it is in the body.
        return value if name.lower() == "content-type" else self.clean_words(value)


def _forms(secret: str) -> set[bytes]:
    """A secret as it may stand in a text: plain, in a URL, in XML."""
    return {form.encode() for form in (secret, quote(secret, safe=""), quote(secret), escape(secret))}


def _one_of(frame: bytes, texts: Iterable[bytes]) -> re.Pattern[bytes] | None:
    """A pattern for any of the texts, the longest first; None when there are none."""
    long = sorted((text for text in texts if len(text) >= SHORTEST_SECRET), key=len, reverse=True)
    if not long:
        return None
    return re.compile(frame % b"|".join(map(re.escape, long)), re.IGNORECASE)
