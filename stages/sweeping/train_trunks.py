"""Train the trunks of a sweep that are not on disk yet: worker processes on CPU, one process on a
GPU, one and more a card on several.

The packing is planned from rates that are measured once and kept with the runs; expected time and
cost are printed first, and the time left follows what is measured on the way.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stages.foundation import artefacts
from stages.foundation.errors import RefusedError
from stages.foundation.files import content_hash
from stages.proxy.card.attention import attention_lines
from stages.proxy.network.compiled import keep_programs_in
from stages.proxy.network.device import choose_device
from stages.proxy.network.graphs import UNRECORDED
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce.cards import Limits, limits_here
from stages.proxy.workforce.gpus import (
    Cards,
    gpus_held,
    is_large,
    train_on_gpus,
    worker_environments,
)
from stages.proxy.workforce.kinds import kind_of, parts_in_share
from stages.proxy.workforce.lease import folder_lease
from stages.proxy.workforce.planner import TrainingPlan, packed, spoken
from stages.proxy.workforce.progress import Progress
from stages.proxy.workforce.workers import Workers
from stages.runs.machine_load import machine_load_noted
from stages.runs.run_files import SWEPT, RunFolder, is_finished, save_run
from stages.sweeping.known_kinds import Trunk, known_kinds
from stages.sweeping.machine_share import groups_per_card, jobs

log = logging.getLogger("assay")
CHECKPOINTS = Path(artefacts.CHECKPOINTS)


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
