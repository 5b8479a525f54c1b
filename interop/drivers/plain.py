"""The reference: the same visit with requests and requests_toolbelt's MultipartDecoder, nothing else.

It knows of the recorded dialects only what it must: hexadecimal delimiters (Q68), preambles (Q6),
and that 0 may be answered under another number (Q36), which it tells as it came.
"""

import re
from collections.abc import Iterator, Mapping
from email.message import Message
from urllib.parse import urljoin

import requests
from lxml import etree
from requests.auth import HTTPDigestAuth
from requests_toolbelt.multipart.decoder import MultipartDecoder

from interop.drivers.visit import Visit, run

NO_OBJECT_FOUND = "20403"
SECONDS = 30


class Client:
    """A session, as few lines as it takes."""

    def __init__(self, login_url: str, username: str, password: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = HTTPDigestAuth(username, password)
        self._session.headers["RETS-Version"] = "RETS/1.7.2"
        answer = self._session.get(login_url, timeout=SECONDS)
        answer.raise_for_status()
        self._links = {
            name: urljoin(login_url, path) for name, path in re.findall(r"(\w+) = (/\S+)", answer.text)
        }

    def ask(self, capability: str, **params: str) -> requests.Response:
        """One transaction; raises for an HTTP error."""
        answer = self._session.post(self._links[capability], data=params, timeout=SECONDS)
        answer.raise_for_status()
        return answer

    def table(self, kind: str, id_: str) -> list[dict[str, str]]:
        """The rows of a metadata table."""
        answer = self.ask("GetMetadata", Type=f"METADATA-{kind}", ID=id_, Format="COMPACT")
        return _rows(etree.fromstring(answer.content))


def drive(visit: Visit) -> None:
    """Log in, look around, search, fetch, log out."""
    task = visit.task
    client = Client(task.login_url, task.username, task.password)
    with visit.step("metadata"):
        _look_around(visit, client)
    with visit.step("search"):
        visit.listings += _search(visit, client)
    for key, ids in task.ask:
        with visit.step(f"photos of {key}"):
            asked = {"Resource": task.resource, "Type": task.object_type, "ID": f"{key}:{ids}"}
            answer = client.ask("GetObject", **asked)
            for listing, object_id, picture in photos_of(answer.headers, answer.content):
                visit.photo(listing, object_id, picture)
    client.ask("Logout")


def _look_around(visit: Visit, client: Client) -> None:
    task = visit.task
    (resource,) = client.table("RESOURCE", "0")
    visit.learn(
        resource["ResourceID"],
        resource["KeyField"],
        [row["ClassName"] for row in client.table("CLASS", task.resource)],
        [row["ObjectType"] for row in client.table("OBJECT", task.resource)],
        [row["SystemName"] for row in client.table("TABLE", f"{task.resource}:{task.class_}")],
    )


def _search(visit: Visit, client: Client) -> Iterator[str]:
    task, offset, more = visit.task, 1, True
    params = {"SearchType": task.resource, "Class": task.class_, "Query": task.query, "QueryType": "DMQL2"}
    while more:
        answer = client.ask("Search", **params, Format=task.search_format, Offset=str(offset))
        root = etree.fromstring(answer.content)
        keys = [row[task.key_field] for row in _rows(root)]
        keys += [record.get("ID", "") for record in root.iter("{*}PropertyDetails")]
        yield from keys
        offset, more = offset + len(keys), root.find("MAXROWS") is not None


def _rows(root: etree._Element) -> list[dict[str, str]]:
    delimiter = root.find("DELIMITER")
    mark = chr(int(delimiter.get("value", "09"), 16)) if delimiter is not None else "\t"
    lines = [(line.text or "")[1:-1].split(mark) for line in root.iter("COLUMNS", "DATA")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def photos_of(headers: Mapping[str, str], body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """The photos of a GetObject answer with their Content-ID and Object-ID; none for a 20403."""
    about = Message()
    for name, value in headers.items():
        about[name] = value
    if about.get_content_maintype() == "multipart":
        start = body.index(f"--{about.get_boundary()}".encode())
        for part in MultipartDecoder(body[start:], about["Content-Type"]).parts:
            yield part.headers[b"Content-ID"].decode(), part.headers[b"Object-ID"].decode(), part.content
    elif about.get_content_maintype() == "image":
        yield about["Content-ID"].encode("latin-1").decode(), about["Object-ID"], body
    elif etree.fromstring(body).get("ReplyCode") != NO_OBJECT_FOUND:
        raise ValueError(f"neither photos nor a {NO_OBJECT_FOUND}: {body[:200]!r}")


if __name__ == "__main__":
    run(drive)
