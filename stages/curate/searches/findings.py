"""What the searches over the whole input found, for the report: cuts of scores, lines that repeat, pairs of copies.

Question: what did each search ask for, and what does it look like? Input: the files of the searches. Output: what each
reason asks of a document, in words, the most repeated lines with their text and how often they occur, near copies
beside what stays in their place, and what a person should look at before the copies go.
Cost: one row group of staged documents for each line, pair or text that is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.curate.copies.losers import REASONS
from stages.curate.copies.shared_texts import largest_clusters, most_shared
from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.searches.line_search import MOST
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import MARK, count
from stages.curate.work.staged import staged_rows
from stages.curate.work.tally import SNIPPET_CHARS, nearest_zero
from stages.curation.duplicates.losses import CopyWarning, Group, copy_warnings
from stages.foundation.files import read_json
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import shares

PAIRS = 10  # of near copies that the report shows
BEGINNING_CHARS = 20_000


@dataclass(frozen=True)
class Findings:
    """`cuts`: column -> the values behind which the share that stays begins (null: at the best) and with which it ends;
    `most`: kind -> [{text, occurrences, characters}]; `pairs`: dicts of the fields of `CopyPair`.
    """

    cuts: dict[str, list[float | None]] = field(default_factory=dict)
    most: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[CopyWarning] = field(default_factory=list)


def findings(
    units: Units, folder: Path, settings: CurateSettings, parts: Sequence[dict]
) -> Findings:
    """Read them from the folder of the searches."""
    cuts = {
        name: read_json(folder / f"cut-{name}.json")["values"]
        for name in shares(settings)
    }
    return Findings(
        cuts,
        {kind: _most(units, folder, kind) for kind in repeat_kinds(settings)},
        pairs=_pairs(units, parts),
        warnings=_warnings(units, folder, settings=settings, parts=parts),
    )


def _pairs(units: Units, parts: Sequence[dict]) -> list[dict[str, Any]]:
    found = nearest_zero([pair for part in parts for pair in part["pairs"]], PAIRS)
    return [
        {
            "id": id_,
            "source": source,
            "text": text,
            "reason": reason,
            "duplicate_of": winner_id,
            "similarity": similarity,
            "kept_text": _beginning(units, winner)[:SNIPPET_CHARS],
        }
        for _, id_, source, text, reason, winner_id, similarity, winner in found
    ]


def _warnings(
    units: Units, folder: Path, settings: CurateSettings, parts: Sequence[dict]
) -> list[CopyWarning]:
    lost = sum(
        entry["documents"]
        for part in parts
        for reason, entry in part["searched"].items()
        if reason in {f"duplicate_{name}" for name in REASONS}
    )
    judged = sum(
        count(units.folders[unit] / "marks.bin", MARK) for unit in range(units.n_new)
    )
    clusters, shared = (
        [
            Group(n, [_beginning(units, ordinal) for ordinal in some], kept_id=id_)
            for n, id_, some in groups
        ]
        for groups in (largest_clusters(folder), most_shared(folder))
    )
    return copy_warnings(
        settings.pool,
        judged,
        lost,
        clusters=clusters,
        shared=shared,
        limits=settings.dedup.limits(),
    )


def _beginning(units: Units, ordinal: int) -> str:
    """The first characters of a document of the input; an index holds no texts."""
    if not 0 <= ordinal < units.n_documents:
        return ""
    return _text(units, ordinal, start=0, stop=BEGINNING_CHARS, most=BEGINNING_CHARS)


def _most(units: Units, folder: Path, kind: str) -> list[dict[str, Any]]:
    rows = sorted(
        row
        for file in folder.glob(f"repeats-last-{kind}-*.json")
        for row in read_json(file)
    )[:MOST]
    return [
        {
            "text": _text(units, ordinal, start=start, stop=stop),
            "occurrences": n,
            "characters": -chars,
        }
        for chars, ordinal, start, stop, n in rows
    ]


def _text(
    units: Units, ordinal: int, start: int, stop: int, most: int = SNIPPET_CHARS
) -> str:
    (_, frame), *_ = staged_rows(units, ordinal, high=ordinal + 1, columns=["text"])
    return frame["text"][0][start : min(stop, start + most)].rstrip("\n")


def search_limits(settings: CurateSettings, found: Findings) -> dict[str, str]:
    """Reason of a search -> what it asks of a document."""
    keep = settings.dedup.keep
    limits = {f"duplicate_{name}": f"one of each, {keep}" for name in REASONS}
    limits["duplicate_near"] = (
        f"less than {settings.dedup.threshold:g} alike to every kept one, {keep} first"
    )
    limits["duplicate_bands"] = f"one of all that one band joins, {keep}"
    if settings.semantic is not None:
        limits["duplicate_semantic"] = (
            f"cosine below {1 - settings.semantic.eps:g} to every kept one of its"
            f" cluster, {settings.semantic.keep} first"
        )
        limits["typical"] = (
            f"the {settings.semantic.keep_diverse} of the documents farthest from the"
            " centres"
        )
    for name, cut in shares(settings).items():
        first, last = found.cuts[name]
        begins = (
            ""
            if first is None
            else f"{'below' if cut.take == 'high' else 'above'} {first:.6g}, "
        )
        ends = (
            "any"
            if last is None
            else f"at {'least' if cut.take == 'high' else 'most'} {last:.6g}"
        )
        share = f"{cut.keep:g} of the characters" + (
            f" behind the best {cut.skip:g}" if cut.skip else ", the best"
        )
        limits[f"not_best_{name}"] = f"{name} {begins}{ends}: {share}"
    for kind, part in repeat_kinds(settings).items():
        asked = (
            []
            if part.drop_above is None
            else [f"at most {part.drop_above:g} of its characters in repeated {kind}"]
        )
        limits[f"repeated_{kind}"] = " and ".join(
            [*asked, *([f"something left without repeated {kind}"] if part.cut else [])]
        )
    return limits
