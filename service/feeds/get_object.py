"""One GetObject, asked in the way that this server takes it: which Accept, and bytes or URLs.

Some servers refuse one Location in words (Q44), some are never able to give a photo by it (Q45).
The other one is then tried, and kept once it has brought something: for good where the first was refused
in words, else for the session, since the server may only have had a bad moment. Whatever was asked
for, both forms of answer are read (Q43).
"""

from collections.abc import Generator, Iterator

import structlog

from parsers.records import Redirect, Retryable
from parsers.rets.objects import location_refused
from parsers.rets.reply import Reply, Verdict, stops_feed
from service.core.ports import Facts, IncomingPhoto
from service.errors import ServiceError
from service.feeds.answer import Answer
from service.feeds.asked import Asked
from service.feeds.rets_client import RetsClient, read_head_reply
from service.feeds.rets_objects import read_objects
from service.feeds.verdicts import refusal
from service.rets_config import RetsFeed

log = structlog.get_logger()

NOT_ACCEPTABLE = 20406
"""Unsupported MIME type: some servers want images named in Accept, and say so here or by HTTP 406."""

INVALID_TYPE = 20401

ACCEPT_ANY = "*/*"
ACCEPT_IMAGES = "image/jpeg, image/*, multipart/*"

LOCATION = "location"
"""The fact that the source keeps: the Location of the configuration, and the one that works."""


class UnknownType(Exception):  # noqa: N818 - named for what happened; it never leaves this package
    """The server has no such Type (20401); `error` says so to the operator."""

    def __init__(self, type_: str, error: ServiceError) -> None:
        super().__init__(type_)
        self.type_, self.error = type_, error


class SeveralRefused(Exception):  # noqa: N818 - see above
    """The server refused a request for several listings as a whole (Q48)."""


class _LocationRefused(Exception):  # noqa: N818 - see above
    """The server says that it does not take this Location, and the other one was not refused yet."""


class ObjectRequests:
    """GetObject requests of one feed, one after the other."""

    def __init__(self, feed: str, config: RetsFeed, client: RetsClient, facts: Facts) -> None:
        self._feed, self._config, self._client, self._facts = feed, config, client, facts
        self._accept = ACCEPT_ANY
        self._refused: set[int] = set()
        self._location, self._proven = self._recall()
        self._guessed = False

    def begin_session(self) -> None:
        """What was only guessed of the Location is found out anew."""
        if self._guessed:
            self._location, self._proven, self._guessed = self._config.location, False, False

    def ask(self, ids: str, type_: str, asked: Asked) -> Iterator[IncomingPhoto]:
        """The photos of one request; redirects are not followed.

        Raises UnknownType and SeveralRefused before the first photo, StopFeed, RetryLater and TransferCut.
        """
        # What is Retryable may be so only by this Location, as long as no photo ever came by it.
        held: list[IncomingPhoto] | None = None if self._proven else []
        try:
            for photo in self._answer(ids, type_, asked, self._location):
                if held is not None and isinstance(photo.outcome, Retryable):
                    held.append(photo)
                    continue
                yield from held or ()
                held = None
                self._learn(photo)
                yield photo
        except _LocationRefused:
            self._refused.add(self._location)
            self._change_location()
            yield from self.ask(ids, type_, asked)
            return
        if held:
            yield from self._by_the_other(ids, type_, asked, held)

    def _by_the_other(
        self, ids: str, type_: str, asked: Asked, held: list[IncomingPhoto]
    ) -> Iterator[IncomingPhoto]:
        """The photos by the other Location, if that brings any; else what was said by this one."""
        other = 1 - self._location
        photos = self._answer(ids, type_, asked, other)
        first = None if other in self._refused else self._try_first(photos, other)
        if first is None or not _came(first):
            photos.close()
            yield from held
            return
        self._change_location()
        self._guessed = True
        self._learn(first)
        yield first
        yield from photos

    def _try_first(self, photos: Iterator[IncomingPhoto], location: int) -> IncomingPhoto | None:
        """The first photo; None where the server would rather not. A mere try must not stop a feed."""
        try:
            return next(photos, None)
        except _LocationRefused:
            self._refused.add(location)
        except (UnknownType, SeveralRefused):
            pass
        except ServiceError as error:
            if self._client.abandoned:
                raise
            said = self._client.hide(str(error))
            log.info("photo.location.untried", feed=self._feed, location=location, error=said)
        return None

    def _answer(
        self, ids: str, type_: str, asked: Asked, location: int
    ) -> Generator[IncomingPhoto, None, None]:
        params = {
            "Resource": self._config.resource,
            "Type": type_,
            "ID": ids,
            "Location": str(location),
        }
        with self._get(params) as answer:
            reply = read_head_reply(answer)
            if reply is not None:
                self._check(reply, params, location)
            if asked.is_several and (answer.status != 200 or (reply and reply.verdict is not Verdict.FINE)):
                raise SeveralRefused
            yield from read_objects(self._feed, answer, asked, self._config.fields)

    def _check(self, reply: Reply, params: dict[str, str], location: int) -> None:
        """Raise what a reply to the whole request means for more than its photos."""
        if location_refused(reply) and 1 - location not in self._refused:
            raise _LocationRefused
        if stops_feed(reply):
            error = refusal(self._feed, f"GetObject ID={params['ID']} Type={params['Type']}", reply)
            raise UnknownType(params["Type"], error) if reply.code == INVALID_TYPE else error

    def _get(self, params: dict[str, str]) -> Answer:
        answer = self._client.get_object(params, accept=self._accept)
        if self._accept == ACCEPT_ANY and _wants_another_accept(answer):
            answer.close()
            self._accept = ACCEPT_IMAGES
            answer = self._client.get_object(params, accept=self._accept)
        return answer

    # What is known of the server's Location.

    def _recall(self) -> tuple[int, bool]:
        """The Location to begin with, and whether it has brought photos under this configuration."""
        configured = self._config.location
        said = self._facts.get(LOCATION) or ""
        for works in (0, 1):
            if said == f"{configured}:{works}":
                return works, True
        return configured, False

    def _learn(self, photo: IncomingPhoto) -> None:
        """A photo that came proves its Location. From then on 20409 means what it says (Q49)."""
        if self._proven or not _came(photo):
            return
        self._proven = True
        if not self._guessed:
            self._facts[LOCATION] = f"{self._config.location}:{self._location}"

    def _change_location(self) -> None:
        self._location, self._proven = 1 - self._location, False
        log.warning(
            "photo.location",
            feed=self._feed,
            location=self._location,
            hint=f"feeds.{self._feed}.location = {self._location} saves finding out",
        )


def _came(photo: IncomingPhoto) -> bool:
    return photo.outcome is None or isinstance(photo.outcome, Redirect)


def _wants_another_accept(answer: Answer) -> bool:
    reply = read_head_reply(answer)
    return answer.status == 406 or (reply is not None and reply.code == NOT_ACCEPTABLE)
