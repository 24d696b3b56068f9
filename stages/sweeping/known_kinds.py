"""How fast each kind of run of a sweep trains here: measured or expected once, and kept with the runs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from stages.foundation.files import content_hash
from stages.foundation.sealed import kept, write_sealed
from stages.proxy.specs.spec import RunSpec
from stages.proxy.workforce.expected import expected_rates
from stages.proxy.workforce.kinds import Kind, kind_of, measured
from stages.proxy.workforce.probe import Candidate, rates_together
from stages.proxy.workforce.workers import Workers
from stages.runs.run_files import SWEPT, RunFolder
from stages.sweeping.machine_share import jobs

PROBES = "stack_sizes.json"
PROBE_SECONDS, LEAST_PROBE_SECONDS = 1.0, 0.3  # assumed: of all kinds together, of each
Trunk = dict[str, Any]


def sweep_id(trunks: Sequence[Trunk]) -> str:
    """Hash of all that a sweep is to train."""
    return content_hash(sorted(trunk["trunk_id"] for trunk in trunks))


def known_kinds(
    trunks: Sequence[Trunk],
    device: str,
    n_workers: int,
    workers: Workers | None = None,
    folder: RunFolder = SWEPT,
    per_card: int = 1,
) -> dict[str, Kind]:
    """What was measured of each kind of run, probed now where the runs folder has nothing yet.

    Kept with the runs, so that a sweep that is killed and goes on is packed as an undisturbed one would have been.
    """
    file = folder.path / PROBES
    found = kept(file)
    # of another sweep, another load of the machine; of another share of a card, another memory
    now = {"sweep": sweep_id(trunks)} | ({"per_card": per_card} if per_card > 1 else {})
    known = found["kinds"] if {**found, "kinds": {}} == {**now, "kinds": {}} else {}
    specs = [trunk["spec"] for trunk in trunks]
    by_kind: dict[str, list[RunSpec]] = {}
    for spec in specs:
        by_kind.setdefault(kind_of(spec, device), []).append(spec)
    if unknown := [kind for kind in by_kind if kind not in known]:
        threads = jobs() if len(specs) < n_workers else 1
        probe = partial(
            measured,
            n_workers=n_workers,
            n_threads=threads,
            device=device,
            per_card=per_card,
            seconds=max(LEAST_PROBE_SECONDS, PROBE_SECONDS / len(unknown)),
        )
        with _measuring(device, min(n_workers, len(specs)), workers) as rates:
            for kind in unknown:
                known[kind] = probe(by_kind[kind][0], rates=rates).to_dict()
                write_sealed(file, now | {"kinds": known})
    return {kind: Kind.from_dict(known[kind]) for kind in by_kind}


@contextlib.contextmanager
def _measuring(
    device: str, n_workers: int, workers: Workers | None
) -> Iterator[Callable[..., dict[Candidate, float]]]:
    """How rates are known: on a GPU from counts, else measured by these workers or by some that are started for it."""
    if device == "cuda":
        yield expected_rates
    elif workers:
        yield partial(rates_together, workers)
    else:
        with Workers(None, n_workers) as started:
            yield partial(rates_together, started)
