"""`assay decide --from` and `assay remove`: where decisions come from, and what must go."""

import json
import sys
from pathlib import Path

from flows.commands.show import show
from stages.foundation import artefacts
from stages.foundation.dvc_file import PIPELINE_FILE, write_pipeline_file
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, whole_file
from stages.handing_over.register import registered
from stages.lineage.remade import remade
from stages.lineage.removal import Held, holders
from stages.pipeline import PIPELINE
from stages.pools.removal import LIST, kept_lines, read_entries
from stages.settings.params import load_params

RUNS_SHOWN = 3  # of those that held a document; --json has all


def decide_command(record: Path, out: Path | None, as_json: bool) -> None:
    """Make a record again and say that the bytes are the same; other bytes raise."""
    made, content = remade(record)
    if out is not None:
        made.write(out)
    digest = content_hash(made.as_json())
    if as_json:
        said = {"record": str(record), "bytes": len(content), "content_hash": digest}
        print(json.dumps(said | {"same": True}))
        return
    print(
        f"{record}: made again of {len(made.provenance.inputs)} files and the section"
        f" decide: the same {len(content):,} bytes, {digest}"
    )


def remove_command(params: Path, entries: Path, dry_run: bool, as_json: bool) -> None:
    """Name who held the documents, and note them so that the next ingest leaves them out."""
    sections = load_params(params, PIPELINE)
    asked = frozenset(read_entries(entries))
    if not Path(artefacts.POOLS).is_dir():
        raise InputError(
            f"{artefacts.POOLS}: nothing is ingested here; name the list at"
            " ingest.removed, and `assay run` leaves its documents out"
        )
    known = {line["entry"]: line for line in kept_lines()}
    found = [_noted(held, known) for held in holders(asked)]
    if not dry_run:
        _note(found, known)
        if PIPELINE_FILE.is_file():
            write_pipeline_file(PIPELINE, sections, str(params))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    show([_row(line) for line in found], False, title="Who held what must go")
    named = [line for line in found if line["documents"]]
    if len(named) < len(found):
        print(
            f"{len(found) - len(named)} of {len(found)} entries name no document of"
            f" {artefacts.INGEST}.",
            file=sys.stderr,
        )
    stale = sorted({name for line in found for name in line["decisions"]})
    if dry_run:
        print("\nNothing was changed (--dry-run).")
        return
    print(
        f"\n{LIST}: {len(asked - known.keys())} entries more. The next `assay run` and"
        " every export leave these documents out;"
        f" decisions that rest on them: {', '.join(stale) or 'none'};"
        f" exports to make again: {', '.join(_exports(found)) or 'none'}."
    )


def _noted(held: Held, known: dict[str, dict]) -> dict:
    """What is found of an entry, or what was found when it was first removed."""
    earlier = known.get(held.entry)
    return earlier if earlier and not held.documents else held.as_json()


def _note(found: list[dict], known: dict[str, dict]) -> None:
    lines = known | {line["entry"]: known.get(line["entry"], line) for line in found}
    text = "".join(json.dumps(line) + "\n" for line in lines.values())
    with whole_file(LIST) as temporary:
        temporary.write_text(text, "utf-8")


def _row(line: dict) -> dict:
    runs = line["runs"]
    arms = ", ".join(
        f"{arm} ({', '.join(map(str, draws))})" for arm, draws in line["arms"].items()
    )
    more = f" and {len(runs) - RUNS_SHOWN} more" if len(runs) > RUNS_SHOWN else ""
    return {
        "entry": line["entry"],
        "documents": len(line["documents"]),
        "role": ", ".join(line["roles"]) or "-",
        "arms (resamples)": arms or "-",
        "runs": (", ".join(runs[:RUNS_SHOWN]) + more) or "-",
        "decisions": ", ".join(line["decisions"]) or "-",
    }


def _exports(found: list[dict]) -> list[str]:
    """Folders of exports, where a document of a pool is removed: an arm over whole pools may hold it."""
    if not any("pool" in line["roles"] for line in found):
        return []
    return [line["out"] for line in registered()]
