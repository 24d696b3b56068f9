"""Image pools in the pipeline: what each stage does where `ingest.modality` is image. Samples take
the place of tokens.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.files import read_json

# what only image pools lead to: their proxies, what packs them for these, and where they are trained
OF_IMAGES = ("stages.proxy.images", "stages.images.pack", "stages.images.device")


def unused_by_texts(params: Mapping[str, Any]) -> Sequence[str]:
    """Parts that a stage does not reach where the pools hold texts. params: every section."""
    return OF_IMAGES if params["ingest"].modality == "text" else ()


def are_pooled() -> bool:
    """Whether the ingest stage has read images."""
    manifest = Path(artefacts.MANIFEST)
    return manifest.is_file() and read_json(manifest).get("modality") == "image"
