"""A real store: what is sent can be found there, and the registered tokenizer loads and encodes."""

import mlflow
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from stages.foundation.files import write_json
from stages.runs.mlflow_store.publish import publish
from stages.runs.mlflow_store.registry import NAME


def write_tokenizer(words):
    tokenizer = Tokenizer(models.WordLevel(dict(words), unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save("data/pack/tokenizer.json")


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """A store of sqlite that was sent two questions and one tokenizer, and its client."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = {name: {"title": f"Which {name}?", "arms": []} for name in ("a", "b")}
    write_json("data/arms/arms.json", {"questions": asked, "controls": {}})
    (tmp_path / "data/pack").mkdir()
    write_tokenizer({"?": 0, "good": 7, "data": 3})
    publish()
    return mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.mark.filterwarnings("ignore::UserWarning")  # MLflow asks for types at loading
def test_two_questions_share_one_version_that_encodes(sent):
    [version] = sent.search_model_versions(f"name = '{NAME}'")
    for question in ("a", "b"):
        experiment = sent.get_experiment_by_name(f"curation/{question}")
        assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
        [run] = sent.search_runs([experiment.experiment_id])
        assert run.data.tags["tokenizer"] == f"models:/{NAME}/{version.version}"
    model = mlflow.pyfunc.load_model(version.source)
    assert model.metadata.signature.inputs.input_names() == ["text"]
    assert model.metadata.signature.outputs.input_names() == ["tokens"]
    import pandas as pd

    answer = model.predict(pd.DataFrame({"text": ["good data", "bad"]}))
    assert answer["tokens"].tolist() == [[7, 3], [0]]
    publish()
    assert len(sent.search_model_versions(f"name = '{NAME}'")) == 1
    write_tokenizer({"?": 0, "good": 8})
    publish()
    assert len(sent.search_model_versions(f"name = '{NAME}'")) == 2
