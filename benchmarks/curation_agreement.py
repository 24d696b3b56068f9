"""Who decides alike: our document rules and datatrove's filters on the same documents. Part of `curation_peers`."""

import json
import subprocess
from pathlib import Path

import polars as pl

from stages.curation.rules.cleaning import c4_cleaned
from stages.curation.rules.rules import RULE_SETS, RULES, Thresholds, judge, measure
from stages.curation.text.pii import EMAIL_MASK, IP_MASK, masked

REPETITION = [name for name in RULES if name.startswith(("gopher_dup", "gopher_top"))]
SETS = {
    "gopher_quality": [
        name for name in RULES if name.startswith("gopher") and name not in REPETITION
    ],
    "gopher_repetition": REPETITION,
    "fineweb": [name for name in RULES if name.startswith("fineweb")],
    "c4": RULE_SETS["c4"],
    "c4_any_end": [f"{name}_any_end" for name in RULE_SETS["c4"]],
}


def agreement(frame: pl.DataFrame, folder: Path, python: Path) -> dict:
    """Shares of documents on which both decide alike, with our definitions, with datatrove's, and after rewriting."""
    theirs = datatrove_decisions(frame, folder, python)
    found = {"documents": frame.height}
    for words, quirks in (
        ("datatrove", "none"),
        ("datatrove", "datatrove"),
        ("regex", "none"),
        ("whitespace", "none"),
    ):
        thresholds = Thresholds(words=words, quirks=quirks)
        measured = measure(frame, thresholds)
        alike = {
            name: float(
                (
                    judge(measured, thresholds, rules)["rules_pass"] == theirs[name]
                ).mean()
            )
            for name, rules in SETS.items()
        }
        found[f"words {words}, quirks {quirks}"] = alike
    found["rewritten"] = {
        name: _rewritten(frame, theirs, name) for name in ("c4", "c4_any_end")
    } | {"masked": _masked(frame, theirs)}
    for name, shares in found.items():
        print(
            f"{name:34}",
            (
                shares
                if isinstance(shares, int)
                else "  ".join(
                    f"{rule} {100 * share:.2f} %" for rule, share in shares.items()
                )
            ),
        )
    return found


def datatrove_decisions(
    frame: pl.DataFrame, folder: Path, python: Path
) -> pl.DataFrame:
    """One row a document, in the order of the frame; asked once for the same documents."""
    source, target = folder / "decisions_in.jsonl", folder / "decisions_out.jsonl"
    asked = frame.select("id", "text").write_ndjson()
    if not (target.exists() and source.exists() and source.read_text("utf-8") == asked):
        source.write_text(asked, "utf-8")
        part = target.with_suffix(".part")
        subprocess.run(
            [
                str(python),
                str(Path(__file__).parent / "peers/datatrove_decisions.py"),
                str(source),
                str(part),
            ],
            check=True,
            capture_output=True,
        )
        part.replace(target)
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    return frame.select("id").join(
        pl.DataFrame(rows, infer_schema_length=None),
        on="id",
        how="left",
        maintain_order="left",
    )


def _rewritten(frame: pl.DataFrame, theirs: pl.DataFrame, name: str) -> float:
    """Share of documents that both drop, or both keep with the same text left."""
    ours = c4_cleaned(frame, any_end=name == "c4_any_end")
    both = ours["dropped"].is_null() & theirs[name]
    same = (ours["dropped"].is_not_null() & ~theirs[name]) | (
        both & (ours["text"] == theirs[f"{name}_text"])
    )
    return float(same.mean())


def _masked(frame: pl.DataFrame, theirs: pl.DataFrame) -> float:
    """Share of equal texts once both masks read alike, among the documents that either changes."""
    marks = {
        "email@example.com": EMAIL_MASK,
        "firstname.lastname@example.org": EMAIL_MASK,
    }
    marks |= dict.fromkeys(
        [
            "22.214.171.124",
            "126.96.36.199",
            "188.8.131.52",
            "184.108.40.206",
            "220.127.116.11",
            "18.104.22.168",
        ],
        IP_MASK,
    )
    alike = theirs["masked"].str.replace_many(list(marks), list(marks.values()))
    ours = masked(frame)["text"]
    changed = (ours != frame["text"]) | (alike != frame["text"])
    return float((ours == alike).filter(changed).mean())
