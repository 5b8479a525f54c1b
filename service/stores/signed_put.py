"""One PutObject whose sha256 is known beforehand: signed with it, and checked against it by the store.

The client's own put hashes the body again to sign it, and once more to check it. The ingest has
hashed every photo already, which is most of what a put costs.
"""

from base64 import b64encode
from datetime import UTC, datetime
from typing import cast

from minio import Minio
from minio.credentials.providers import Provider
from minio.error import InvalidResponseError, S3Error
from minio.signer import sign_v4_s3
from minio.time import to_amz_date
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.util import SKIP_HEADER

CHECKSUM = "x-amz-checksum-sha256"
"""S3's own check of a body (S3 API, "Checking object integrity"): base64 of the sha256's 32 bytes."""

_NOT_SENT = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}
"""What urllib3 adds by itself; an answer to a put has nothing to be packed."""


class SignedPut:
    """Puts into one bucket, at the client's address of it; any thread may call it."""

    def __init__(self, client: Minio, keys: Provider, pool: PoolManager, region: str, bucket: str) -> None:
        self._address = client._base_url.build  # noqa: SLF001 - path style or virtual host: the client knows
        self._keys, self._region, self._bucket = keys, region, bucket
        place = self._address(method="PUT", region=region, bucket_name=bucket, object_name="photo")
        # The pool of that one host, asked for once: looking it up for each put costs more than signing.
        self._host = pool.connection_from_host(place.hostname, place.port, place.scheme)
        self._retries = pool.connection_pool_kw["retries"]

    def send(self, key: str, content: bytes, sha256: str, headers: dict[str, str]) -> BaseHTTPResponse:
        """The store's answer, when it is 200. S3Error or InvalidResponseError else.

        `sha256` is the body's, in hex: it signs the request (x-amz-content-sha256) and stands in
        `x-amz-checksum-sha256`, which a store compares with what arrived.
        """
        url = self._address(method="PUT", region=self._region, bucket_name=self._bucket, object_name=key)
        now = datetime.now(UTC)
        signed = sign_v4_s3(
            method="PUT",
            url=url,
            region=self._region,
            headers={
                **headers,
                "Host": url.netloc,
                "Content-Length": str(len(content)),
                CHECKSUM: b64encode(bytes.fromhex(sha256)).decode(),
                "x-amz-content-sha256": sha256,
                "x-amz-date": to_amz_date(now),
            },
            credentials=self._keys.retrieve(),
            content_sha256=sha256,
            date=now,
        )
        # A redirect would carry the signature elsewhere, and would not be valid there.
        answer = self._host.urlopen(
            "PUT",
            url.path,
            body=content,
            headers={**cast("dict[str, str]", signed), **_NOT_SENT},
            retries=self._retries,
            redirect=False,
            assert_same_host=False,
        )
        if answer.status == 200:
            return answer
        raise _refusal(answer)


def _refusal(answer: BaseHTTPResponse) -> Exception:
    kind = answer.headers.get("Content-Type", "")
    if answer.data and "xml" in kind:
        return S3Error.fromxml(answer)
    return InvalidResponseError(answer.status, kind, answer.data.decode("utf-8", "replace"))
