"""What the searches over the whole input found, for the report: the cuts of the scores, and the lines that repeat most.

Question: what did each search ask for, and what does it look like? Input: the files of the searches. Output: what each
reason asks of a document, in words, and the most repeated lines with their text and how often they occur.
Cost: one row group of staged documents for each line that is shown.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.searches.line_search import MOST
from stages.curate.searches.losers import REASONS
from stages.curate.work.numbering import Units
from stages.curate.work.staged import staged_rows
from stages.curate.work.tally import SNIPPET_CHARS
from stages.foundation.files import read_json
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import shares


@dataclass(frozen=True)
class Findings:
    """`cuts`: column -> the values behind which the share that stays begins (null: at the best) and with which it ends;
    `most`: kind -> [{text, occurrences, characters}].
    """

    cuts: dict[str, list[float | None]] = field(default_factory=dict)
    most: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def findings(units: Units, folder: Path, settings: CurateSettings) -> Findings:
    """Read them from the folder of the searches."""
    cuts = {
        name: read_json(folder / f"cut-{name}.json")["values"]
        for name in shares(settings)
    }
    return Findings(
        cuts, {kind: _most(units, folder, kind) for kind in repeat_kinds(settings)}
    )


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


def _text(units: Units, ordinal: int, start: int, stop: int) -> str:
    (_, frame), *_ = staged_rows(units, ordinal, high=ordinal + 1, columns=["text"])
    return frame["text"][0][start : min(stop, start + SNIPPET_CHARS)].rstrip("\n")


def search_limits(settings: CurateSettings, found: Findings) -> dict[str, str]:
    """Reason of a search -> what it asks of a document."""
    limits = {
        f"duplicate_{name}": f"one of each cluster, {settings.dedup.keep}"
        for name in REASONS
    }
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
