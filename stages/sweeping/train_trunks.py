"""Train the trunks of a sweep that are not on disk yet: worker processes on CPU, one process on a
GPU, one and more a card on several.

The packing is planned from rates that are measured once and kept with the runs; expected time and
cost are printed first, and the time left follows what is measured on the way.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stages.foundation import artefacts
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import content_hash
from stages.foundation.sealed import kept, write_sealed
from stages.proxy.card.attention import attention_lines
from stages.proxy.network.compiled import keep_programs_in
from stages.proxy.network.device import choose_device
from stages.proxy.network.graphs import UNRECORDED
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.specs.stack import stacks
from stages.proxy.training.data import ProxyData
from stages.proxy.training.noise_scale import gradient_noise_scale
from stages.proxy.workforce.cards import Limits, limits_here
from stages.proxy.workforce.expected import expected_rates
from stages.proxy.workforce.gpus import (
    Cards,
    gpus_held,
    is_large,
    train_on_gpus,
    worker_environments,
)
from stages.proxy.workforce.kinds import Kind, kind_of, measured, parts_in_share
from stages.proxy.workforce.lease import folder_lease
from stages.proxy.workforce.planner import TrainingPlan, packed, spoken
from stages.proxy.workforce.probe import Candidate, rates_together
from stages.proxy.workforce.progress import Progress
from stages.proxy.workforce.workers import Workers, run_groups
from stages.runs.machine_load import machine_load_noted
from stages.runs.run_files import SWEPT, RunFolder, is_finished, save_run
from stages.sweeping.views import proxy_data

log = logging.getLogger("assay")
CHECKPOINTS = Path(artefacts.CHECKPOINTS)
PROBES = "stack_sizes.json"
PROBE_SECONDS, LEAST_PROBE_SECONDS = 1.0, 0.3  # assumed: of all kinds together, of each
Trunk = dict[str, Any]


def jobs() -> int:
    """Worker processes: ASSAY_JOBS, else one a core that this process may use."""
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    return _whole_number("ASSAY_JOBS", least=0) or cores


def groups_per_card() -> int:
    """Groups of runs that train on one GPU at once: ASSAY_GROUPS_PER_CARD, else 1. A property of the machine, so it
    stands in no parameter and changes no run.
    """
    return _whole_number("ASSAY_GROUPS_PER_CARD", least=1) or 1


def _whole_number(variable: str, least: int) -> int:
    """Of the environment; 0 where it is not set or empty."""
    text = os.environ.get(variable, "").strip()
    if text and not (text.isdecimal() and int(text) >= least):
        raise InputError(f"{variable}={text}: must be a whole number from {least} on")
    return int(text or 0)


@dataclass(frozen=True)
class Work:
    """What is left of a sweep: its plan, what the runs read, and the headers of their files by spec hash."""

    plan: TrainingPlan
    data: ProxyData
    headers: dict[str, Trunk]
    device: str
    place: str  # cpu or cuda
    folder: RunFolder = SWEPT
    cards: tuple[str, ...] = ()  # names of those that are held
    unrecorded: list[str] = field(default_factory=list)  # notes of runs, as they end

    @property
    def peak_flops(self) -> float | None:
        """Dense bfloat16 FLOP/s of the cards together."""
        limits = _limits(self.place)
        return limits.flops * self.plan.n_cards if limits else None

    @property
    def groups(self) -> list[list[RunSpec]]:
        return self.plan.groups

    def save(self, result: RunResult) -> None:
        """Write the file of one finished run."""
        trunk = self.headers[content_hash(result.spec.to_dict())]
        # else written before a kill, after which its group went on whole
        if not is_finished(trunk, self.folder):
            save_run(trunk, result.to_dict(), self.folder)
        notes = [note for note in result.notes if note.startswith(UNRECORDED)]
        if notes and not self.unrecorded:
            log.warning(
                "%s: runs take three to eight times as long as they need: %s",
                self.folder.stage,
                notes[0],
            )
        self.unrecorded.extend(notes)

    def train(
        self,
        groups: list[list[RunSpec]],
        workers: Workers | None,
        on_result: Callable[[RunResult], None],
        on_progress: Callable[[Sequence[RunSpec], float, float], None] | None = None,
    ) -> list[str]:
        """Train these groups, on these worker processes or on the cards; the messages of those that failed."""
        if workers:
            failures = workers.train(
                groups,
                on_result=on_result,
                on_progress=on_progress,
                checkpoint=checkpoint_file,
                settings=self.settings,
            )
        else:
            failures = train_on_gpus(
                groups,
                self.data,
                device=self.device,
                cards=self.cards,
                per_card=self.plan.per_card,
                on_result=on_result,
                on_progress=on_progress,
                checkpoint=checkpoint_file,
                settings=self.settings,
            )
        return [failure.message for failure in failures]

    def settings(self, group: Sequence[RunSpec]) -> dict[str, Any]:
        """How the plan trains a group; a GPU chooses its own precision."""
        if self.place == "cuda":
            compiled = kind_of(group[0], self.place) in self.plan.compiled
            return {"compiled": compiled} | self._parts(group, compiled)
        way = self.plan.chosen[kind_of(group[0], self.place)]
        return {"threads": way.threads, "dtype": way.dtype}

    def _parts(self, group: Sequence[RunSpec], compiled: bool) -> dict[str, Any]:
        per_card = self.plan.per_card
        if per_card == 1 or (self.plan.n_cards > 1 and is_large(group[0])):
            return {}
        room = torch.cuda.get_device_properties(0).total_memory
        return parts_in_share(group, room, per_card=per_card, compiled=compiled)

    def environments(self, n_asked: int = 0) -> Sequence[dict[str, str] | None]:
        """Of each process that trains groups for a caller who hands them out: at most `n_asked`, 0 for all that fit.

        None stands for this process: of a GPU that nobody shares, or where a large run takes all cards.
        """
        most = max(1, len(self.groups))
        if self.place == "cpu":
            return [{}] * min(n_asked or jobs(), most)
        found = worker_environments(self.cards, self.plan.per_card)
        found = found[: min(n_asked or most, most)]
        large = any(is_large(group[0]) for group in self.groups)
        return [None] if len(found) < 2 or (large and len(self.cards) > 1) else found


def missing_work(
    trunks: Sequence[Trunk],
    data: ProxyData,
    device: str,
    workers: Workers | None = None,
    folder: RunFolder = SWEPT,
    cards: Cards | None = None,
    per_card: int | None = None,
) -> Work:
    """Groups of the runs without a file, packed as they are in the plan of the whole sweep; the
    plan is printed.

    trunks: the whole plan, {trunk_id, arm, control, data_hash, code_hash, spec}. workers: those
    that measure what is not known yet. cards: those that are held; what is more than the groups is
    given back. per_card: groups on a card at once, as `groups_per_card` by default.
    """
    place, dtype, reason = choose_device(device, trunks[0]["spec"].dtype)
    on_card = place.type == "cuda"
    n_workers = torch.cuda.device_count() if on_card else jobs()
    per_card = (per_card or groups_per_card()) if on_card else 1
    cards = cards or Cards()
    specs = [trunk["spec"] for trunk in trunks]
    kinds = known_kinds(
        trunks,
        place.type,
        n_workers=n_workers,
        workers=workers,
        folder=folder,
        per_card=per_card,
    )
    held_out_tokens = sum(
        int(domain.n_tokens_each.sum()) for domain in data.held_out.values()
    )
    options = {
        "n_workers": n_workers,
        "device": place.type,
        "held_out_tokens": held_out_tokens,
        "limits": _limits(place.type),
        "per_card": per_card,
    }
    if on_card:
        options["n_held"] = len(cards.names) or 1
    whole = packed(specs, kinds, **options)
    done = [trunk for trunk in trunks if is_finished(trunk, folder)]
    plan = whole.without(
        {content_hash(trunk["spec"].to_dict()) for trunk in done},
        lambda spec: content_hash(spec.to_dict()),
        begun=lambda group: checkpoint_file(group).is_file(),
    )
    cards.keep(plan.n_cards)
    there = f"{len(done)} of {len(trunks)} runs are done"
    kernels = _attention(plan, dtype) if on_card else []
    for line in (reason, there, *plan.lines(), *kernels):
        log.info("%s: %s", folder.stage, line)
    return Work(
        plan,
        data=data,
        headers={content_hash(trunk["spec"].to_dict()): trunk for trunk in trunks},
        device=device,
        place=place.type,
        folder=folder,
        cards=tuple(cards.names),
    )


def _attention(plan: TrainingPlan, dtype: torch.dtype) -> list[str]:
    """Which kernels of attention the groups of a plan use on this card."""
    return attention_lines(
        plan.groups,
        dtype=str(dtype).removeprefix("torch."),
        capability=torch.cuda.get_device_capability(),
        cudnn=torch.backends.cudnn.version(),
    )


def train(
    trunks: Sequence[Trunk], data: ProxyData, device: str, folder: RunFolder = SWEPT
) -> None:
    """Train every trunk without a file, and write one file each as they finish.

    Raises RefusedError with the first failure where runs failed; the others are on disk by then.
    """
    place, n_missing = (
        choose_device(device)[0].type,
        sum(not is_finished(trunk, folder) for trunk in trunks),
    )
    keep_programs_in(CHECKPOINTS.parent / "compiled")
    specs = [trunk["spec"] for trunk in trunks]
    with runs_lease(folder), gpus_held(specs, place, most=n_missing) as cards:
        with (
            Workers(data, min(jobs(), n_missing), device=device)
            if place == "cpu"
            else contextlib.nullcontext()
        ) as workers:
            work = missing_work(
                trunks,
                data,
                device=device,
                workers=workers,
                folder=folder,
                cards=cards,
            )
            with machine_load_noted(folder.stage):
                _train_all(work, workers)


def runs_lease(
    folder: RunFolder = SWEPT,
) -> contextlib.AbstractContextManager[None]:
    """Hold a folder of run files, so that two processes never fill it at once."""
    return folder_lease(folder.path, CHECKPOINTS.parent / f"{folder.stage}.lock")


def _train_all(work: Work, workers: Workers | None) -> None:
    progress = Progress(work.plan, work.peak_flops)
    with _bar() as bar:
        shown = _Shown(progress, bar, work.folder.stage)

        def keep(result: RunResult) -> None:
            work.save(result)
            shown([result.spec], 1.0)

        failures = work.train(work.groups, workers, keep, shown)
    log.info(
        "%s: trained in %s, %s was planned",
        work.folder.stage,
        spoken(progress.elapsed_s),
        spoken(work.plan.seconds),
    )
    if work.unrecorded:
        log.warning(
            "%s: %d runs took their steps one by one",
            work.folder.stage,
            len(work.unrecorded),
        )
    if failures:
        raise RefusedError(
            f"{len(failures)} of {len(work.groups)} groups of runs failed, the rest is"
            f" kept; the first: {failures[0]}"
        )


def _bar() -> contextlib.AbstractContextManager[Any]:
    """A progress bar on a terminal; None elsewhere, where tqdm need not be installed."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f} %|{bar:20}| {postfix}"
    return tqdm(total=100, desc="proxies", bar_format=form)


class _Shown:
    """Progress as a bar on a terminal, else as a line in the log at the first news and at every fifth."""

    def __init__(self, progress: Progress, bar: Any, stage: str) -> None:
        self.progress, self.bar, self.stage, self.fifths = progress, bar, stage, 0

    def __call__(
        self, group: Sequence[RunSpec], fraction: float, loss_nats: float | None = None
    ) -> None:
        self.progress.report(group, fraction, loss_nats)
        done = self.progress.fraction
        if self.bar is not None:
            self.bar.update(100 * done - self.bar.n)
            self.bar.set_postfix_str(self.progress.line())
        elif done * 5 >= self.fifths:
            log.info("%s: %.0f %%, %s", self.stage, 100 * done, self.progress.line())
            self.fifths = int(done * 5) + 1


def checkpoint_file(group: Sequence[RunSpec]) -> Path:
    """Where a group's state is kept while it trains."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    return CHECKPOINTS / f"{content_hash([spec.to_dict() for spec in group])}.pt"


def _limits(place: str) -> Limits | None:
    return limits_here(torch.device(place)) if place == "cuda" else None


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


def losses_of(specs: list[RunSpec], data: Any, device: str) -> dict[float, float]:
    """Mean held-out loss over domains of each spec's last budget by its learning rate; infinite
    where it diverged. data: sweeping.views.Views.
    """
    place, _, _ = choose_device(device)
    losses = dict.fromkeys((spec.lr for spec in specs), float("inf"))

    def keep(result: RunResult) -> None:
        if not (last := result.budgets[-1]).diverged:
            losses[result.spec.lr] = sum(
                loss.loss_nats for loss in last.held_out.values()
            ) / len(last.held_out)

    groups, given = stacks(specs, 2), proxy_data(data)
    with gpus_held(specs, place.type, most=len(groups)) as cards:
        failures = (
            train_on_gpus(
                groups, given, on_result=keep, device=device, cards=cards.names
            )
            if place.type == "cuda"
            else run_groups(
                groups, given, n_workers=jobs(), on_result=keep, device=device
            )
        )
    if failures:
        raise RefusedError(f"the trial of learning rates failed: {failures[0].message}")
    return losses


def noise_of(spec: RunSpec, data: Any, device: str) -> float:
    """Gradient noise scale in tokens, halfway to the first decay. data: sweeping.views.Views."""
    n_steps = max(1, spec.segments[0].n_steps // 2)
    place = choose_device(device)[0].type
    with gpus_held([spec], place):
        return gradient_noise_scale(
            spec, proxy_data(data), n_steps * spec.batch_tokens, device=place
        )
