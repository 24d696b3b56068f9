"""A real sentence-transformers model, tiny and untrained, built in a folder without any hub;
skipped without the package.
"""

import shutil

import numpy as np
import pytest

from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors.embeddings import embedded, sentence_model
from stages.foundation.errors import InputError
from stages.pools.embed_documents import choose_embed

pytest.importorskip(
    "sentence_transformers", reason="the extra `embed` is not installed"
)
WORDS = (
    "match team goal coach player season league score bank rate stock bond market price"
    " profit loan".split()
)


def sentences(n, seed):
    random = np.random.default_rng(seed)
    return [
        " ".join(random.choice(WORDS, int(random.integers(4, 40)))) for _ in range(n)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two layers of 32 numbers over word pieces learned from the texts, random weights, mean over tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    target = tmp_path_factory.mktemp("model")
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(sentences(200, 0), vocab_size=200, show_progress=False)
    pieces._tokenizer.post_processor = BertProcessing(
        ("[SEP]", pieces.token_to_id("[SEP]")), ("[CLS]", pieces.token_to_id("[CLS]"))
    )
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    PreTrainedTokenizerFast(
        tokenizer_object=pieces._tokenizer, model_max_length=64, **names
    ).save_pretrained(target / "bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(target / "bert")
    SentenceTransformer(
        modules=[Transformer(str(target / "bert"), max_seq_length=64), Pooling(32)]
    ).save(str(target / "saved"))
    return target / "saved"


def test_texts_get_rows_whatever_their_order_and_semantic_copies_are_dropped(folder):
    embed, reason = choose_embed(sentence_folder=str(folder))
    texts = sentences(60, 1)
    copies = [text.upper() + " !" for text in texts[:10]]
    rows = embedded(embed, texts + copies)
    assert rows.shape == (70, 32) and "sentence-transformers" in reason
    np.testing.assert_allclose(
        embedded(embed, (texts + copies)[::-1])[::-1], rows, atol=1e-5
    )
    found = semdedup(rows, range(70), drop_fraction=10 / 70, n_clusters=2)
    assert (
        sum(not (found.keep[place] and found.keep[60 + place]) for place in range(10))
        >= 9
    )


def test_no_text_and_an_empty_text_are_no_special_case(folder):
    embed = sentence_model(folder, batch=2)
    assert embedded(embed, []).shape == (0, 32)
    assert embedded(embed, ["", "a match"]).shape == (2, 32)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modules.json", "{"),
        ("model.safetensors", None),
        ("config.json", "[]"),
        ("model.safetensors", "x"),
    ],
)
def test_a_broken_folder_is_one_line(folder, tmp_path, file, content):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / file).unlink() if content is None else (broken / file).write_text(content)
    with pytest.raises(
        InputError, match="cannot be loaded as a sentence-transformers model"
    ) as caught:
        sentence_model(broken)
    assert "\n" not in str(caught.value)
