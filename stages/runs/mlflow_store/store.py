"""Which MLflow store, and its client: an outage is one line, and no call is waited for without end."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.errors import RefusedError
from stages.foundation.one_line import one_line, redacted
from stages.foundation.processes.deadlines import InTime, service_seconds, within

ADDRESS = "MLFLOW_TRACKING_URI"
MOST = 120  # characters of a reason
NOT_SENT = "did not take the runs"
KEPT = "they are kept on disk; the next `assay run` or `python -m stages publish` sends them"
# whose errors are of no class of ours: MLflow hands them on where files lie in a bucket
BUCKETS = {"azure", "boto3", "botocore", "google", "s3transfer"}


class TrackingOutage(RefusedError):
    """MLflow cannot be reached or refuses; nothing is lost."""


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, else an absolute sqlite path (a relative one would follow the caller)."""
    return os.environ.get(ADDRESS) or f"sqlite:///{_own_file()}"


def _own_file() -> Path:
    return Path("mlflow.db").resolve()


def artifact_location() -> str | None:
    """Where files of a new experiment lie; None: the store decides, as one that is named does."""
    return None if os.environ.get(ADDRESS) else Path("mlartifacts").resolve().as_uri()


# SQLite's own words for a file that no waiting mends
DAMAGED = ("disk image is malformed", "file is not a database")
REBUILT = (
    "move that file away: no result stands in it alone, and `python -m stages publish`"
    " sends all runs to a new one"
)


@contextmanager
def outages(what: str = NOT_SENT, cure: str = KEPT) -> Iterator[None]:
    """Anything MLflow or its transport raises becomes one TrackingOutage line."""
    import mlflow
    import requests
    import sqlalchemy

    known = (
        mlflow.exceptions.MlflowException,
        requests.RequestException,
        sqlalchemy.exc.SQLAlchemyError,
        OSError,
    )
    try:
        yield
    except ImportError as error:  # the driver of a database or a bucket
        raise TrackingOutage(
            f"MLflow at {redacted(tracking_uri())}: {one_line(str(error))}; install that"
            " package, or name another store in MLFLOW_TRACKING_URI"
        ) from None
    except Exception as error:
        if not isinstance(error, known) and not _is_of_a_bucket(error):
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingOutage(
            f"MLflow at {redacted(tracking_uri())} {what}: {one_line(first, MOST)};"
            f" {_cure(first, cure)}"
        ) from None


def _cure(fault: str, cure: str) -> str:
    """A store of ours that is damaged is made anew; one that is read may hold what nothing else does."""
    is_damaged = any(sign in fault for sign in DAMAGED)
    return REBUILT if is_damaged and cure == KEPT else cure


def _is_of_a_bucket(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in BUCKETS


def open_client() -> Any:
    """MLflow's client, each of whose calls ends in time."""
    import mlflow

    # it would sleep for as long as the store says
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    make_own_store()
    client = within(service_seconds(), mlflow.MlflowClient, tracking_uri())
    return InTime(client, service_seconds())


def make_own_store() -> None:
    """The project's own store with its tables, where it has none and no other is named.

    It is made elsewhere and then moved, so that a process killed on the way leaves no half of one, of which
    MLflow would refuse to make the rest. A store that another process has made meanwhile stays.
    """
    file = _own_file()
    if os.environ.get(ADDRESS) or file.exists():
        return
    import mlflow

    work = Path(artefacts.WORK)
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlflow.", dir=work) as folder:
        made = Path(folder).resolve() / file.name
        mlflow.MlflowClient(f"sqlite:///{made}").search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(made, file)


def pages(client: Any, experiment: str, is_finished: str = "=") -> Iterator[Any]:
    """Every finished run of an experiment, page by page; with `!=` every other."""
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            f"attributes.status {is_finished} 'FINISHED'",
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return
