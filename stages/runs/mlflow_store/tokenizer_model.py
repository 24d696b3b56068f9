"""The tokenizer as MLflow loads it; a copy of this file goes into the registry, so it imports nothing of ours."""

from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import set_model


class TokenizerModel(mlflow.pyfunc.PythonModel):
    """A frame with a column `text` in; a frame with a column `tokens`, a list of token numbers a row, out."""

    def load_context(self, context: Any) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])

    # of a frame MLflow infers no signature, and without a type it warns
    def predict(
        self, context: Any, model_input: pd.DataFrame, params: Any = None
    ) -> pd.DataFrame:
        encoded = self.tokenizer.encode_batch(model_input["text"].tolist())
        return pd.DataFrame({"tokens": [each.ids for each in encoded]})


set_model(TokenizerModel())
