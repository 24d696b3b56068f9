"""What a store behind a URL may do: how long it may be mute, and what its faults are called.

A question that is not answered is given up after ASSAY_SERVICE_SECONDS (60) with all its retries; of
itself s3fs takes seven minutes. Only the wait for the next bytes counts, so a slow store is waited for.
A store that is out of reach is no fault of a file: the run ends, and goes on later.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.foundation.errors import InputError, RefusedError
from stages.foundation.processes.deadlines import service_seconds

S3_ATTEMPTS, S3_ROUNDS = 3, 2  # of botocore, with growing pauses; of s3fs around them

PACKAGES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google")
# by name, since they are classes of packages that need not be there
OUT_OF_REACH = {
    "TimeoutError",
    "ConnectionError",
    "HTTPClientError",
    "ClientConnectionError",
    "ClientPayloadError",
}
# what fsspec makes of "internal error" and "slow down"
BROKEN = (errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO))


class StoreOutage(RefusedError):
    """A store does not answer or is broken. What is finished is kept."""


def is_outage(error: BaseException) -> bool:
    """Whether a store is out of reach or broken, and not one of its files."""
    names = {kind.__name__ for kind in type(error).__mro__}
    broken = isinstance(error, OSError) and error.errno in BROKEN
    return broken or bool(names & OUT_OF_REACH)


@contextmanager
def remote_errors(path: Path | str) -> Iterator[None]:
    """What a store refuses (credentials, an endpoint that does not answer) is one line for a person."""
    try:
        yield
    except Exception as error:
        if "://" not in str(path):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        if is_outage(error):
            raise StoreOutage(
                f"{path}: {reason}; check AWS_ENDPOINT_URL and run again when the store"
                " answers, finished work is kept"
            ) from None
        if isinstance(error, OSError) or _package(error) not in PACKAGES:
            raise
        raise InputError(
            f"{path}: {reason}; check the URL, AWS_ENDPOINT_URL and the credentials"
        ) from None


def _package(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def in_time(protocol: str) -> dict[str, Any]:
    """The options of fsspec for a protocol; what a person has set in its configuration stays."""
    if protocol in ("s3", "s3a"):
        return _s3()
    if protocol in ("http", "https"):
        return _http()
    return {}


def _s3() -> dict[str, Any]:
    from fsspec.config import conf

    try:
        from s3fs import S3FileSystem
    except ImportError:
        return {}  # said where the store is opened
    S3FileSystem.retries = S3_ROUNDS  # no option of a single store
    seconds = service_seconds() / (S3_ATTEMPTS * S3_ROUNDS)
    retries = {"total_max_attempts": S3_ATTEMPTS, "mode": "standard"}
    known = conf.get("s3", {}).get("config_kwargs", {})
    patience = {"connect_timeout": seconds, "read_timeout": seconds, "retries": retries}
    return {"config_kwargs": patience | known}


def _http() -> dict[str, Any]:
    from fsspec.config import conf

    try:
        from aiohttp import ClientTimeout
    except ImportError:
        return {}
    seconds = service_seconds()
    timeout = ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
    known = conf.get("http", {}).get("client_kwargs", {})
    return {"client_kwargs": {"timeout": timeout} | known}
