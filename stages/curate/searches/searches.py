"""The searches over the whole input, in order: ids, copies, semantic copies, the best share,
repeated lines.

Question: what goes because of other documents? Input: the judged units. Output: LOSER records below
`copies`, those of a search before the next one begins, and the REPEAT records of lines. Each search
looks at what the ones before it left; a task whose file is there is not done again, so a killed run
goes on in the middle of any of them.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.curate.copies.alike_pairs import (
    AlikeTask,
    CandidateTask,
    pair_parts,
    write_wanted,
)
from stages.curate.copies.edges import EdgeTask, key_parts, write_parents
from stages.curate.copies.losers import LoserTask, MemberTask, RepeatTask, loser_parts
from stages.curate.copies.near_losers import LinkTask, NearLoserTask
from stages.curate.copies.shared_texts import SharedTask
from stages.curate.copies.shingle_files import ShingleTask
from stages.curate.searches.best_share import CutTask, ValueTask, write_cut
from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.searches.drops import reason_names, write_gone
from stages.curate.searches.embedding import BLOCK_CHARS, EmbedTask, embedder, fit_words
from stages.curate.searches.line_search import SEARCHES, LineTask, RepeatedTask
from stages.curate.searches.semantic_search import (
    AssignTask,
    ClusterTask,
    TypicalTask,
    cluster_ranges,
    search_cost,
    write_centres,
)
from stages.curate.work.numbering import Units
from stages.curate.work.part_bounds import n_chars, part_bounds
from stages.curate.work.sorted_runs import ALIKE, EDGE, LINE
from stages.curation.vectors.embeddings import Embed
from stages.curation.vectors.place import Cost, reading_cost
from stages.foundation.errors import InputError
from stages.foundation.files import read_json
from stages.pools.products_device import products_device
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import Cut, SemanticSettings, shares


@dataclass(frozen=True)
class Corpus:
    """What is searched, and who does the tasks: `each(step, task, items)`."""

    units: Units
    work: Path
    settings: CurateSettings
    each: Callable[[str, Callable[[Any], Any], Sequence[Any]], list[Any]]
    embed: Callable[..., Embed] | None = None  # of a device
    elsewhere: bool = False  # tasks run on other machines

    @property
    def folder(self) -> Path:
        return self.work / "copies"

    @property
    def own(self) -> range:
        """The units of this input."""
        return range(self.units.n_new)

    @property
    def ids_order(self) -> bool:
        return self.settings.id is not None

    def reason(self, name: str) -> int:
        return reason_names(self.settings).index(name)


def search(corpus: Corpus) -> None:
    """All of them."""
    find_copies(corpus)
    if corpus.settings.semantic is not None:
        _find_semantic(corpus, corpus.settings.semantic)
    for name, cut in shares(corpus.settings).items():
        corpus.each(
            f"gather {name}",
            ValueTask(corpus.units, folder=corpus.folder, column=name, take=cut.take),
            corpus.own,
        )
        _cut(corpus, name, cut=cut, reason=f"not_best_{name}")
    if repeat_kinds(corpus.settings):
        _find_lines(corpus)


def find_copies(corpus: Corpus) -> None:
    """Repeated ids, then copies by the policy of the settings, then what many documents share."""
    units, folder, parents = corpus.units, corpus.folder, corpus.folder / "parents.bin"
    if corpus.settings.id is not None:
        parts = key_parts(units, "names-*.bin")
        corpus.each("compare ids", RepeatTask(units, folder, parts), range(parts))
    if corpus.settings.dedup.policy == "near":
        edges, kind = _find_alike(corpus), ALIKE
    else:
        parts = key_parts(units)
        corpus.each("compare keys", EdgeTask(units, folder, parts), range(parts))
        edges, kind = sorted(folder.glob("edges-*.bin")), EDGE
    write_parents(units, edges, parents, kind)
    corpus.each(
        "gather copies", MemberTask(units, folder, parents), range(len(units.folders))
    )
    parts = loser_parts(folder)
    choose: LoserTask | NearLoserTask
    if corpus.settings.dedup.policy == "near":
        corpus.each("gather pairs", LinkTask(parents), edges)
        choose = NearLoserTask(
            units,
            folder,
            parts,
            threshold=corpus.settings.dedup.threshold,
            ids_order=corpus.ids_order,
        )
    else:
        choose = LoserTask(units, folder, parts, ids_order=corpus.ids_order)
    corpus.each("choose copies", choose, range(parts))
    if corpus.settings.dedup.policy == "near":
        parts = key_parts(units, "shared-*.bin")
        corpus.each(
            "see what is shared", SharedTask(units, folder, parts), range(parts)
        )


def _find_alike(corpus: Corpus) -> list[Path]:
    """The files of the pairs that are alike."""
    units, folder = corpus.units, corpus.folder
    params = corpus.settings.dedup.minhash()
    parts = key_parts(units)
    compare = CandidateTask(
        units, folder, parts, params=params, ids_order=corpus.ids_order
    )
    corpus.each("compare sketches", compare, range(parts))
    found = sorted(folder.glob("candidates-*.bin"))
    write_wanted(found, params, units.n_all, folder / "wanted.bin")
    corpus.each(
        "read shingles",
        ShingleTask(units, folder, folder / "wanted.bin", params),
        corpus.own,
    )
    parts = pair_parts(found)
    corpus.each(
        "compare shingles", AlikeTask(units, folder, parts, params), range(parts)
    )
    return sorted(folder.glob("alike-*.bin"))


def _find_semantic(corpus: Corpus, asked: SemanticSettings) -> None:
    target = corpus.work / "semantic"
    sizes = _embed(corpus, asked, target)
    n_documents = sum(documents for documents, _ in sizes)
    columns = {columns for documents, columns in sizes if documents}
    if len(columns) > 1:
        raise InputError(
            f"the embeddings have {' and '.join(map(str, sorted(columns)))} columns;"
            " the embedder must always give as many numbers"
        )
    if n_documents < 2:
        return
    (n_columns,) = columns
    vectors = [target / f"vectors-{block:05d}.npy" for block in range(len(sizes))]
    cost = search_cost(n_documents, n_columns, asked)
    with _device(corpus, cost, "semantic copies are sought") as device:
        there = asked.model_copy(update={"device": device})
        _compare_meanings(corpus, there, vectors=vectors, n_columns=n_columns)


def _device(
    corpus: Corpus, cost: Cost, what: str
) -> contextlib.AbstractContextManager[str]:
    """Where the tasks of a search multiply, held meanwhile; on other machines as asked for, `auto` on their cores."""
    asked = corpus.settings.semantic
    wanted = asked.device if asked is not None else "cpu"
    if corpus.elsewhere:
        return contextlib.nullcontext("cpu" if wanted == "auto" else wanted)
    return products_device(wanted, cost, what)


def _embed(
    corpus: Corpus, asked: SemanticSettings, target: Path
) -> list[tuple[int, int]]:
    """(documents, columns) of the vectors of every block, which are on disk by then; nothing where fewer than two
    documents are left.
    """
    units = corpus.units
    if asked.embed == "words" and not fit_words(
        units, corpus.folder, asked=asked, target=target / "space.npy"
    ):
        return []
    bounds = tuple(part_bounds(units, BLOCK_CHARS))
    with contextlib.ExitStack() as held:
        device = "cpu"
        if asked.folder is not None:
            cost = reading_cost(asked.folder, units.n_documents, n_chars(units))
            device = held.enter_context(_device(corpus, cost, f"{asked.folder} reads"))
        task = EmbedTask(
            units,
            folder=corpus.folder,
            target=target,
            settings=corpus.settings,
            asked=asked,
            bounds=bounds,
            make=embedder(asked, target, corpus.embed, device),
        )
        return corpus.each("embed", task, range(len(bounds) - 1))


def _compare_meanings(
    corpus: Corpus, asked: SemanticSettings, vectors: Sequence[Path], n_columns: int
) -> None:
    """Clusters of the vectors, the copies in each, and what is typical where it goes. asked: with the device."""
    units, target, blocks = corpus.units, corpus.work / "semantic", range(len(vectors))
    write_centres(vectors, asked, target / "centres.npy")
    corpus.each("assign to clusters", AssignTask(target, asked), blocks)
    ranges = tuple(cluster_ranges(target, n_columns))
    compare = ClusterTask(
        target,
        losers=corpus.folder,
        asked=asked,
        columns=n_columns,
        reason=corpus.reason("duplicate_semantic"),
        ranges=ranges,
    )
    corpus.each("compare meanings", compare, range(len(ranges)))
    if asked.keep_diverse is not None:
        write_gone(corpus.folder, units.n_all, target / "gone.bin")
        write_centres(
            vectors, asked, target=target / "again.npy", gone=target / "gone.bin"
        )
        corpus.each(
            "find what is typical", TypicalTask(target, corpus.folder, asked), blocks
        )
        _cut(
            corpus,
            "_typical",
            cut=Cut(keep=asked.keep_diverse, take="low"),
            reason="typical",
        )


def _cut(corpus: Corpus, name: str, cut: Cut, reason: str) -> None:
    """Drop what is outside the share that stays."""
    assert cut.keep is not None  # `shares` names those that have one
    runs, target = (
        sorted(corpus.folder.glob(f"values-{name}-[0-9]*.bin")),
        corpus.folder / f"cut-{name}.json",
    )
    write_cut(runs, cut.skip, keep=cut.keep, take=cut.take, target=target)
    corpus.each(
        f"cut {name.strip('_')}",
        CutTask(corpus.folder, tuple(read_json(target)["keys"]), corpus.reason(reason)),
        runs,
    )


def _find_lines(corpus: Corpus) -> None:
    units, folder, settings = corpus.units, corpus.folder, corpus.settings
    drops = any(part.drop_above is not None for part in repeat_kinds(settings).values())
    for search_ in SEARCHES if drops else SEARCHES[-1:]:
        write_gone(folder, units.n_all, folder / f"gone-{search_}.bin")
        for kind in repeat_kinds(settings):
            parts = key_parts(units, f"{kind}-*.bin", LINE)
            corpus.each(
                f"compare {kind}",
                LineTask(
                    units,
                    folder=folder,
                    settings=settings,
                    kind=kind,
                    search=search_,
                    parts=parts,
                ),
                range(parts),
            )
        corpus.each(
            "read what repeats",
            RepeatedTask(units, folder=folder, settings=settings, search=search_),
            corpus.own,
        )
