"""Image pools in the pipeline: what each stage does where `ingest.modality` is image. Samples take
the place of tokens.
"""

from pathlib import Path

from stages.foundation import artefacts
from stages.foundation.files import read_json


def are_pooled() -> bool:
    """Whether the ingest stage has read images."""
    manifest = Path(artefacts.MANIFEST)
    return manifest.is_file() and read_json(manifest).get("modality") == "image"
