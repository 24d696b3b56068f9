"""The tokenizer as MLflow loads it; a copy of this file goes into the registry, so it imports nothing of ours."""

from typing import Any

import mlflow.pyfunc
from mlflow.models import set_model


class TokenizerModel(mlflow.pyfunc.PythonModel):
    """A frame with a column `text` in; a frame with a column `tokens`, a list of token numbers a row, out."""

    def load_context(self, context: Any) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])

    # without types: MLflow would take them for the signature
    def predict(self, context, model_input, params=None):
        import pandas as pd

        encoded = self.tokenizer.encode_batch(model_input["text"].tolist())
        return pd.DataFrame({"tokens": [each.ids for each in encoded]})


set_model(TokenizerModel())
