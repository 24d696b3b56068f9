"""The tokenizer in the model registry, with its signature: a version for every one of other contents.

The sweep keeps losses and no weights, so the registry holds no proxies.
"""

import logging
import tempfile
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.files import content_hash

log = logging.getLogger("assay")
NAME = "assay-tokenizer"
FOLDER = "tokenizer"  # below the artifacts of the parent run
SENT = "sent.tokenizer"
CODE = "stages.runs.mlflow_store.tokenizer_model"  # MLflow loads a copy of the file
MODEL = "tokenizer"  # tag of the parent run: what to load


def register_tokenizer(client: Any, parent: str, tags: dict[str, str]) -> None:
    """A version of `assay-tokenizer` made from the parent run's artifacts, unless it was registered before."""
    file = Path(artefacts.TOKENIZER)
    if not file.is_file():  # image pools have none
        return
    digest = content_hash(file.read_text("utf-8"))
    if client.get_run(parent).data.tags.get(SENT) == digest:
        return
    version = _version_of(client, digest) or _register(
        client, parent, {**tags, "digest": digest}
    )
    client.set_tag(parent, MODEL, f"models:/{NAME}/{version}")
    client.set_tag(parent, SENT, digest)


def _version_of(client: Any, digest: str) -> str | None:
    """The version that another question registered."""
    known = client.search_model_versions(f"name = '{NAME}'")
    return next((v.version for v in known if v.tags.get("digest") == digest), None)


def _register(client: Any, parent: str, tags: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / FOLDER
        save_model(model)
        client.log_artifacts(parent, str(model), FOLDER)
    if not client.search_registered_models(f"name = '{NAME}'"):
        client.create_registered_model(
            NAME, description="Byte-level BPE tokenizers, trained on the pools alone."
        )
    source = f"{client.get_run(parent).info.artifact_uri}/{FOLDER}"
    made = client.create_model_version(NAME, source, run_id=parent, tags=tags)
    log.info("MLflow: the tokenizer is models:/%s/%s", NAME, made.version)
    return made.version


def save_model(folder: Path) -> None:
    """The tokenizer as a model of MLflow: a column `text` in, a list of tokens a row out."""
    with warnings.catch_warnings():
        # MLflow warns of its own classes and asks for types, of which it would make another signature
        warnings.simplefilter("ignore")
        _save_model(folder)


def _save_model(folder: Path) -> None:
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    code = find_spec(CODE)
    assert code
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([ColSpec(Array(DataType.long), "tokens")]),
    )
    packages = ("mlflow", "tokenizers")
    mlflow.pyfunc.save_model(
        str(folder),
        # a file, not an object: it loads where Assay is not installed
        python_model=code.origin,
        artifacts={"tokenizer": str(Path(artefacts.TOKENIZER).resolve())},
        signature=signature,
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in packages],
    )
