"""`assay decide --from` and `assay remove`: where decisions come from, and what must go."""

import json
from pathlib import Path

from stages.foundation.files import content_hash
from stages.lineage.remade import remade


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
