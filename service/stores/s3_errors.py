"""What a failure of the S3 store means: RetryLater, or ConfigError naming the key to change.

Texts hold the store's error code and never its message, which may quote a request's signature.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError

from service.errors import ConfigError, RetryLater, ServiceError

_KEYS = "check store.access_key_env and store.secret_key_env (or _file)"

LONGEST_AFTER = 86_400.0
"""Seconds of a Retry-After that is believed: a day."""

# S3 error code -> what to change.
_CONFIG = {
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AccessDenied": f"{_KEYS}, and what that account may do with the bucket of store.url",
    "AllAccessDisabled": _KEYS,
    "NoSuchBucket": "store.url names a bucket that does not exist",
    "InvalidBucketName": "store.url names a bucket that cannot exist",
    "AuthorizationHeaderMalformed": "check region= in store.url",
    "PermanentRedirect": "check region= in store.url",
    "RequestTimeTooSkewed": "the clock of this machine or of the store is wrong",
}

# OpenSSL's reasons that no waiting mends.
_TLS_CONFIG = {
    "CERTIFICATE_VERIFY_FAILED": "store.url: the certificate is not trusted; set store.ca_file",
    "WRONG_VERSION_NUMBER": "store.url: the store speaks plain HTTP; say secure=false",
}


@contextmanager
def store_verdicts(doing: str) -> Iterator[None]:
    """Errors of the store leave as verdicts; `doing` says what was tried, on which key."""
    try:
        yield
    except S3Error as error:
        raise _said(doing, error) from error
    except InvalidResponseError as error:
        raise _not_s3(doing, error) from error
    except (HTTPError, ParseError, MinioException, UnicodeDecodeError) as error:
        raise _not_heard(doing, error) from error


def _said(doing: str, error: S3Error) -> ServiceError:
    what = f"{doing}: the store answered {error.code} (HTTP {error.response.status})"
    if hint := _CONFIG.get(error.code or ""):
        return ConfigError(what, hint=hint)
    wait = error.response.headers.get("Retry-After", "")
    return RetryLater(what, after=min(float(wait), LONGEST_AFTER) if wait.isdecimal() else None)


def _not_s3(doing: str, error: InvalidResponseError) -> ServiceError:
    # minio keeps the status to itself; everything but overload and failure is another kind of server.
    status = error._code  # noqa: SLF001 - there is no other way to it
    what = f"{doing}: the answer was not S3's (HTTP {status})"
    if status in (408, 429) or status >= 500:
        return RetryLater(what)
    return ConfigError(what, hint="store.url must name an S3 endpoint")


def _not_heard(doing: str, error: Exception) -> ServiceError:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    tls = cause.args[0] if cause.args else None
    reason = tls.reason if isinstance(tls, ssl.SSLError) else None
    if reason in _TLS_CONFIG:
        return ConfigError(f"{doing}: {reason}", hint=_TLS_CONFIG[reason])
    if isinstance(error, ParseError | UnicodeDecodeError):
        return RetryLater(f"{doing}: the answer cannot be read: {error}")
    if isinstance(error, ServerError):
        return RetryLater(f"{doing}: the store answered HTTP {error.status_code}")
    return RetryLater(f"{doing}: {cause}")
