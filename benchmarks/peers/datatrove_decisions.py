"""datatrove's verdict on each document, filter by filter: `python datatrove_decisions.py IN.jsonl
OUT.jsonl`.

Each filter sees the whole document, so the verdicts do not depend on the order of the filters. Runs
in datatrove's environment.
"""

import json
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter

FILTERS = {
    "gopher_quality": GopherQualityFilter(),
    "gopher_repetition": GopherRepetitionFilter(),
    "c4": C4QualityFilter(),
    "c4_any_end": C4QualityFilter(filter_no_terminal_punct=False),
    "fineweb": FineWebQualityFilter(),
}


def verdicts(row: dict) -> dict:
    out = {"id": row["id"], "masked": PIIFormatter().format(row["text"])}
    for name, rule in FILTERS.items():
        document = Document(text=row["text"], id=row["id"])
        result = rule.filter(document)
        passed, reason = (
            (True, None)
            if result is True
            else (False, result[1] if isinstance(result, tuple) else "dropped")
        )
        out |= {name: passed, f"{name}_reason": reason}
        if name.startswith("c4") and passed:
            out[f"{name}_text"] = document.text
    return out


def main() -> None:
    with (
        open(sys.argv[1], encoding="utf-8") as source,
        open(sys.argv[2], "w", encoding="utf-8") as target,
    ):
        for line in source:
            target.write(
                json.dumps(verdicts(json.loads(line)), ensure_ascii=False) + "\n"
            )


if __name__ == "__main__":
    main()
