"""The cookies of a session, few and short, and each on one line: they are sent back as they came.

Which host one is sent to is the library's business: the host that set it, or the domain that it
names, if that host belongs to it.
"""

from http.cookiejar import Cookie, DefaultCookiePolicy

from requests.cookies import RequestsCookieJar

MAX_COOKIES = 50
"""RFC 6265 6.1 wants at least 50 for a domain; real sessions have a handful."""

MAX_COOKIE_BYTES = 4096
"""Name and value (RFC 6265 6.1)."""


class SessionCookies(RequestsCookieJar):
    """Of too many the oldest goes; one that is too long or holds a control character is not taken."""

    def set_cookie(self, cookie: Cookie, *args: object, **kwargs: object) -> None:
        """Keep it, as far as there is room."""
        text = cookie.name + (cookie.value or "")
        # RFC 6265 4.1.1; a folded header line brings a line end into a value.
        if len(text) > MAX_COOKIE_BYTES or not text.isprintable():
            return
        super().set_cookie(cookie, *args, **kwargs)
        for old in [*self][: max(0, len(self) - MAX_COOKIES)]:
            self.clear(old.domain, old.path, old.name)


def no_cookies() -> RequestsCookieJar:
    """A jar that takes none."""
    return RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
