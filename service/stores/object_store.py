"""The bucket, over the minio client: bytes by key, on any S3.

Path-style addressing on every host but Amazon's own, where the client knows better. One object is
one PutObject: photos are far below S3's 5 GiB for a single put, and a single put is atomic.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.helpers import check_bucket_name
from urllib3 import BaseHTTPResponse

from service.core.ports import ObjectInfo, OpenObject
from service.errors import ConfigError, RetryLater
from service.stores.byte_budget import ByteBudget
from service.stores.s3_errors import store_verdicts
from service.stores.signed_put import CHECKSUM, SignedPut
from service.stores.trust import tls_context

CONNECT_SECONDS = 5.0
"""A store that does not accept a connection within this is down, or its address is wrong."""

READ_SECONDS = 60.0
"""Silence after a request was sent: a store that replicates to slow disks may take its time."""

RETRIES = 4
"""With the pauses below, 2.8 s in all: a server that restarts is back by then. The rest is RetryLater."""

PAUSE = 0.2

TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)

KEYS_PER_DELETE = 1000
"""S3's bound on one DeleteObjects."""

SPARE_CONNECTIONS = 4
"""Beside the uploaders: manifests, the sweep, an audit, the status page."""

BYTES_IN_FLIGHT = 32 * 2**20
"""A put that is tried again needs its whole body in memory. All uploads together hold this,
or one larger photo."""

CHUNK = 2**18
"""Bytes read at a time: far fewer turns than packets, and nothing beside a photo."""

_PARAMETERS = ("secure", "region")
_MD5 = re.compile(r"[0-9a-f]{32}")


class MinioStore:
    """Implements `ObjectStore` (service/core/ports.py); any thread may call it."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        *,
        secure: bool = True,
        region: str = "us-east-1",
        uploaders: int = 16,
        timeout: urllib3.Timeout = TIMEOUT,
        pause: float = PAUSE,
        ca_file: Path | None = None,
    ) -> None:
        # Retry-After is not slept on here: it goes to the caller, with the verdict.
        retries = urllib3.Retry(
            RETRIES,
            backoff_factor=pause,
            status_forcelist=(500, 502, 503, 504),
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        self._pool = urllib3.PoolManager(
            maxsize=uploaders + SPARE_CONNECTIONS,
            timeout=timeout,
            retries=retries,
            ssl_context=tls_context(ca_file),
        )
        try:
            check_bucket_name(bucket, strict=True)
            keys = StaticProvider(access_key, secret_key)
            self._s3 = Minio(endpoint, credentials=keys, secure=secure, region=region, http_client=self._pool)
        except ValueError as error:
            raise ConfigError(f"store.url: {error}") from error
        self._endpoint = endpoint
        self._bucket = bucket
        self._secure = secure
        self._signed = SignedPut(self._s3, keys, self._pool, region, bucket)
        self._budget = ByteBudget(BYTES_IN_FLIGHT)

    @classmethod
    def from_url(
        cls, url: str, access_key: str, secret_key: str, uploaders: int, ca_file: Path | None = None
    ) -> "MinioStore":
        """`s3://HOST[:PORT]/BUCKET?secure=true&region=us-east-1`; both parameters may be left out."""
        parts = urlsplit(url)
        bucket = parts.path.strip("/")
        if parts.scheme != "s3" or not parts.netloc or not bucket or "/" in bucket:
            raise ConfigError("store.url: not a bucket's address", hint="allowed: s3://HOST[:PORT]/BUCKET")
        if "@" in parts.netloc:
            raise ConfigError("store.url holds a user name", hint="use store.access_key_env or _file")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in given:
            if name not in _PARAMETERS:
                allowed = ", ".join(_PARAMETERS)
                raise ConfigError(f"store.url: unknown parameter {name}", hint=f"allowed: {allowed}")
        secure = given.get("secure", "true")
        if secure not in ("true", "false"):
            raise ConfigError(f"store.url: secure={secure}", hint="allowed: true or false")
        region = given.get("region", "us-east-1")
        return cls(
            parts.netloc,
            access_key,
            secret_key,
            bucket,
            secure=secure == "true",
            region=region,
            uploaders=uploaders,
            ca_file=ca_file,
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def ensure_bucket(self) -> None:
        """Create the bucket when it is missing."""
        with store_verdicts(f"bucket {self._bucket} at {self._endpoint}"):
            if self._s3.bucket_exists(self._bucket):
                return
            try:
                self._s3.make_bucket(self._bucket)
            except S3Error as error:
                # Somebody else was a moment quicker.
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

    def put(
        self, key: str, body: BinaryIO, length: int, sha256: str, *, media_type: str, cache_control: str
    ) -> None:
        """Store `length` bytes read from `body`; returns when the store has acknowledged them."""
        headers = {"Content-Type": media_type, "Cache-Control": cache_control}
        with self._budget.hold(length), store_verdicts(f"put {key}"):
            content = body.read(length)
            if len(content) != length:
                raise RetryLater(f"put {key}: {len(content)} bytes to send, {length} expected")
            answer = self._signed.send(key, content, sha256, headers)
            self._check(key, content, answer)

    def _check(self, key: str, content: bytes, answer: BaseHTTPResponse) -> None:
        """Whether the store holds what was sent.

        A store that gives the checksum back has compared it. Of another one, over plain HTTP, the
        ETag of a single put, an MD5 on most stores, is compared; over HTTPS, TLS guards the way.
        """
        etag = answer.headers.get("ETag", "").strip('"')
        if not etag:  # whatever answered that has stored nothing
            raise RetryLater(f"put {key}: the store answered 200 without an ETag")
        if self._secure or CHECKSUM in answer.headers or not _MD5.fullmatch(etag):
            return
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != etag:
            raise RetryLater(f"put {key}: the store holds other bytes than were sent")

    def get(self, key: str) -> bytes:
        """The whole object. KeyError when there is none."""
        with store_verdicts(f"get {key}"):
            try:
                answer = self._s3.get_object(self._bucket, key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    raise KeyError(key) from error
                raise
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()

    @contextmanager
    def open(self, key: str) -> Iterator[OpenObject]:
        """The object's bytes, a chunk at a time. KeyError when there is none; RetryLater when it is cut."""
        with store_verdicts(f"get {key}"):
            try:
                answer = self._s3.get_object(self._bucket, key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    raise KeyError(key) from error
                raise
            try:
                yield OpenObject(_info_of(key, answer), answer.stream(CHUNK, decode_content=False))
            finally:
                answer.close()
                answer.release_conn()

    def stat(self, key: str) -> ObjectInfo | None:
        """None when there is no such object."""
        with store_verdicts(f"stat {key}"):
            try:
                found = self._s3.stat_object(self._bucket, key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    return None
                raise
        headers = found.metadata or {}
        return ObjectInfo(
            key,
            found.size or 0,
            etag=found.etag,
            media_type=found.content_type,
            cache_control=headers.get("Cache-Control"),
        )

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object under the prefix, 1000 per request, in the store's key order.

        S3 orders by bytes; SeaweedFS by path segment (`12/` before `12-3/`). In both every key
        comes once, and the objects of one listing come together.
        """
        with store_verdicts(f"list {prefix}"):
            for found in self._s3.list_objects(self._bucket, prefix, recursive=True):
                if found.object_name:
                    yield ObjectInfo(found.object_name, found.size or 0, etag=found.etag)

    def delete(self, keys: Iterable[str]) -> None:
        """Missing keys are fine. RetryLater when the store kept any; the others are gone."""
        rest = iter(keys)
        while batch := list(islice(rest, KEYS_PER_DELETE)):
            with store_verdicts(f"delete {len(batch)} objects"):
                wanted = [DeleteObject(key) for key in batch]
                errors = list(self._s3.remove_objects(self._bucket, wanted))
            failed = [error for error in errors if error.code != "NoSuchKey"]
            if failed:
                first = f"{failed[0].name}: {failed[0].code}"
                raise RetryLater(f"delete: the store kept {len(failed)} of {len(batch)} objects ({first})")


def _info_of(key: str, answer: BaseHTTPResponse) -> ObjectInfo:
    headers = answer.headers
    return ObjectInfo(
        key,
        int(headers.get("Content-Length", "0")),
        etag=headers.get("ETag", "").strip('"') or None,
        media_type=headers.get("Content-Type"),
        cache_control=headers.get("Cache-Control"),
    )
