"""The JSON schemas in docs/, written from the models by `assay schemas` and never by hand."""

import json
from pathlib import Path

from stages.curate.work.manifest_file import Manifest
from stages.decision.record import DecisionRecord
from stages.foundation.files import whole_file
from stages.foundation.record_files import FileRecord, schema
from stages.handing_over.record import ExportManifest
from stages.run_tables.fit_file import FitFile
from stages.searched.record import SearchedRecord
from stages.verification.record import Verification

FOLDER = Path("docs")
SCHEMAS: dict[str, type[FileRecord]] = {
    "decision.schema.json": DecisionRecord,
    "export.schema.json": ExportManifest,
    "fit.schema.json": FitFile,
    "manifest.schema.json": Manifest,
    "searched.schema.json": SearchedRecord,
    "verification.schema.json": Verification,
}


def schema_text(model: type[FileRecord]) -> str:
    """The file in docs/ for one model."""
    return json.dumps(schema(model), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Bring the schemas up to date; the files that changed."""
    changed = []
    for name, model in SCHEMAS.items():
        path, text = folder / name, schema_text(model)
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        with whole_file(path) as temporary:
            temporary.write_text(text, "utf-8")
        changed.append(path)
    return changed
