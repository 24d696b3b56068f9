import polars as pl
import pytest
from tokenizers import Tokenizer, models

from stages.foundation.errors import InputError
from stages.pools.tokens import EOS, tokenised, train_tokenizer


def test_every_document_decodes_to_itself_and_ends_with_the_mark():
    texts = ["the cat sat on the mat", "naïve 中文\n  tabs\t", "the cat again"]
    tokenizer = train_tokenizer(iter(texts), 300)
    frame = pl.DataFrame({"id": ["a", "b", "c"], "text": texts})
    found = list(tokenised(iter([frame]), tokenizer))
    eos = tokenizer.token_to_id(EOS)
    assert [name for name, _, _ in found] == ["a", "b", "c"]
    assert [n_bytes for _, _, n_bytes in found] == [len(t.encode()) for t in texts]
    for text, (_, tokens, _) in zip(texts, found, strict=True):
        assert tokens[-1] == eos and eos not in tokens[:-1]
        assert tokenizer.decode(tokens[:-1].tolist()) == text
    assert len(found[0][1]) < len(texts[0])  # it has learned merges


def test_a_tokenizer_without_the_mark_is_refused_with_the_cure():
    """As `semantic.tokenizer` may name any file, its documents would end in no token at all."""
    foreign = Tokenizer(models.BPE({"a": 0}, []))
    frame = pl.DataFrame({"id": ["x"], "text": ["a"]})
    with pytest.raises(InputError, match=r"no token '<\|end\|>' .*pack stage trained"):
        next(tokenised(iter([frame]), foreign))
