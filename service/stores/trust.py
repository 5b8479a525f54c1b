"""Whom the client takes for the store: the public certificate authorities vouch, and the operator's own."""

import os
import ssl
from pathlib import Path

import certifi
from urllib3.util.ssl_ import create_urllib3_context

from service.errors import ConfigError


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Certificates and host names are verified. SSL_CERT_FILE takes the place of the public authorities."""
    context = create_urllib3_context()
    public = os.environ.get("SSL_CERT_FILE") or certifi.where()
    try:
        context.load_verify_locations(public)
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise ConfigError(
            f"certificates cannot be read: {error.strerror}", hint="check SSL_CERT_FILE and store.ca_file"
        ) from error
    return context
