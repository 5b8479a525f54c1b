"""The host of the pictures that answers only point to: under each feed's path, for whoever has the URL.

    http://127.0.0.1:PORT/<feed>/photos/...

Answers name such a picture as `photos/...`, relative to GetObject. So a recorded answer is served byte
for byte, whatever the port and the feed's name are, and reads the same in every replay.
"""

from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Request, Site, no_answer
from service.simulator.journal import Journal, Seen
from service.simulator.spoil import under_faults

PHOTOS = "photos/"
"""What the URLs of pictures begin with, seen from GetObject."""

CREDENTIALS = ("Authorization", "Cookie", "RETS-UA-Authorization")


class PhotoHost:
    """Receives the requests for one feed's pictures."""

    def __init__(self, feed: str, site: Site, journal: Journal) -> None:
        self._feed, self._site, self._journal = feed, site, journal

    def receive(self, request: Request) -> RawAnswer:
        """The picture, or whatever the feed's `Answers` have in its place (404, 403, a redirect).

        Credentials are refused: real hosts do so beside a signature in the URL, and a client that
        sends them there gives them away.
        """
        sent = [name for name in CREDENTIALS if name in request.headers]
        if sent:
            text = f"a picture is asked for without {', '.join(sent)}\n"
            return RawAnswer(400, "Bad Request", (("Content-Type", "text/plain"),), text.encode())
        seen = Seen(self._feed, "Photo", {"URL": request.target.removeprefix(f"/{self._feed}/")})
        self._journal.note(seen)
        return under_faults(self._site.faults, "Photo", seen.params, lambda: self._answer(seen))

    def _answer(self, seen: Seen) -> RawAnswer:
        return self._site.answers.answer("Photo", seen.params) or no_answer(self._journal, seen)
