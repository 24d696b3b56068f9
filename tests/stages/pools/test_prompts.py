"""A prompt stands before the answer, and tokens that begin in it are its own."""

from pathlib import Path

import polars as pl
import pytest

from stages import ingest, pack
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.pools.prompt_texts import with_prompt
from stages.pools.prompts import prompted
from stages.pools.tokens import train_tokenizer
from stages.proxy.tokens.packed import Packed

TEXTS = ["What is \u00fcber?\nA word.", "Four.", "Why?\nB" + "e" * 30]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(iter(TEXTS * 5), 300)


def frame(texts, chars):
    ids = [str(number) for number in range(len(texts))]
    return pl.DataFrame({"id": ids, "text": texts, "prompt_chars": chars})


def test_what_is_scored_is_the_answer_to_the_byte(tokenizer):
    chars = [text.find("\n") + 1 for text in TEXTS]
    made = list(prompted(iter([frame(TEXTS, chars)]), tokenizer))
    for text, n_chars, (_, tokens, n_bytes, prompt) in zip(
        TEXTS, chars, made, strict=True
    ):
        answer = tokenizer.decode(tokens[prompt.n_tokens : -1].tolist())
        assert answer == text[n_chars:]
        assert n_bytes == len(text.encode())
        assert n_bytes - prompt.n_bytes == len(text[n_chars:].encode())


def test_a_document_without_a_prompt_has_none_and_the_tokens_of_any_other(tokenizer):
    [(_, tokens, _, prompt)] = prompted(iter([frame(TEXTS[:1], [None])]), tokenizer)
    assert (prompt.n_tokens, prompt.n_bytes) == (0, 0)
    assert tokens[:-1].tolist() == tokenizer.encode(TEXTS[0]).ids


def test_blank_prompts_are_no_prompts():
    asked = pl.DataFrame(
        {"text": ["a", "b"], "prompt": [" \n", "Q \n"], "n_chars": [1, 1]}
    )
    made = with_prompt(asked)
    assert made["text"].to_list() == ["a", "Q\nb"]
    assert made["prompt_chars"].to_list() == [0, 2]
    assert made["n_chars"].to_list() == [1, 3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Questions with answers of 3,000 characters in a pool of their own, and pages."""
    monkeypatch.chdir(tmp_path)
    answer = "It is {n}, as every reader of page {n} knows. " * 70
    lines = [
        f'{{"q": "What is {n}?", "a": "{answer.format(n=n)}", "i": {n}}}'
        for n in range(60)
    ]
    (tmp_path / "qa.jsonl").write_text("\n".join(lines))
    pages = [
        f'{{"text": "A page about the number {n} and no other."}}' for n in range(90)
    ]
    (tmp_path / "web.jsonl").write_text("\n".join(pages))
    (tmp_path / "data/dedup").mkdir(parents=True)
    pl.DataFrame(schema={"id": pl.String, "text": pl.String}).write_parquet(
        artefacts.LINE_COPIES
    )
    return {
        "qa": {"path": "qa.jsonl", "text": "a", "prompt": "q", "heldout": 0.2},
        "web": {"path": "web.jsonl", "reference": 0.3, "heldout": 0.2},
    }


def test_prompts_go_from_the_users_file_into_the_packs(project):
    ingest.run(ingest.IngestParams(pools=project, passage_chars=500))
    made = pl.read_parquet(f"{artefacts.POOLS}/qa/*.parquet")
    assert made["n_chars"].min() > 2_000  # whole: no passage without its question
    assert made["text"].str.starts_with("What is ").all()
    pack.run(pack.PackParams(vocab_size=300, heldout_tokens=100_000))
    pool, held = (
        Packed.open(artefacts.PACKED_POOLS),
        Packed.open("data/pack/heldout/qa"),
    )
    assert held.n_prompt_each.min() > 0 and held.prompts_sha256
    with_one = (pool.n_prompt_each > 0).sum()
    assert with_one == len(made) < pool.n_documents
    assert Packed.open("data/pack/heldout/web").n_prompt_each is None


def test_of_chats_the_last_answer_is_scored(project, tmp_path):
    chats = [
        [
            {"role": "user", "content": f"What is {n}?"},
            {"role": "assistant", "content": f"The number {n}."},
        ]
        for n in range(60)
    ]
    pl.DataFrame({"messages": chats}).write_parquet(tmp_path / "chats.parquet")
    own = {"path": "chats.parquet", "text": "messages", "heldout": 0.2}
    for asked, prompt in (({"prompt": "messages"}, "What is 7?\n"), ({}, "")):
        pools = {"web": project["web"], "chats": own | asked}
        ingest.run(ingest.IngestParams(pools=pools))
        made = pl.concat(
            [
                pl.read_parquet(f"{artefacts.POOLS}/chats/*.parquet"),
                pl.read_parquet("data/ingest/heldout/chats.parquet"),
            ],
            how="diagonal",
        )
        [seven] = made.filter(pl.col("text") == "What is 7?\nThe number 7.").to_dicts()
        assert seven.get("prompt_chars", 0) == len(prompt)
        assert made.height == 60


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"prompt": "a"}, "column 'a' is mapped as prompt and as text and holds text"),
        ({"prompt": "i"}, "column 'i' holds int '0', not text; write its values as"),
        ({"licence": {"column": "i"}}, "column 'i' holds int '0', not text; write its"),
        ({"url": "i"}, "column 'i' holds int '0', not text; write its values as text"),
    ],
)
def test_a_column_that_is_no_text_is_refused(project, changes, fault):
    pools = {**project, "qa": project["qa"] | changes}
    with pytest.raises(InputError, match=fault):
        ingest.run(ingest.IngestParams(pools=pools))


@pytest.mark.parametrize("column", ["question", "blank"])  # not there, and empty
def test_a_prompt_that_no_document_has_is_refused(project, column):
    line = '{"a": "An answer of a few words.", "blank": "  "}'
    Path("qa.jsonl").write_text(line)
    lost = {**project, "qa": project["qa"] | {"prompt": column}}
    with pytest.raises(
        InputError,
        match=f"qa.prompt: no document has anything in the column '{column}'",
    ):
        ingest.run(ingest.IngestParams(pools=lost))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": None, "extract": "news"}, "prompt names a column, which only your"),
        (
            {"prompt": "i", "id": "i"},
            "prompt maps the column 'i', which holds something else",
        ),
    ],
)
def test_a_prompt_that_cannot_be_is_refused(project, changes, message):
    with pytest.raises(ValueError, match=message):
        ingest.IngestParams(pools={**project, "qa": project["qa"] | changes})


def test_a_tokenizer_of_another_project_is_taken_as_it_is(project, tmp_path, tokenizer):
    ingest.run(ingest.IngestParams(pools=project))
    tokenizer.save(str(tmp_path / "theirs.json"))
    size = tokenizer.get_vocab_size()
    pack.run(pack.PackParams(vocab_size=size, tokenizer="theirs.json"))
    assert Packed.open(artefacts.PACKED_POOLS).vocab_size == size
    with pytest.raises(
        InputError, match=f"pack.vocab_size: is 999, .* has {size} words"
    ):
        pack.run(pack.PackParams(vocab_size=999, tokenizer="theirs.json"))
    with pytest.raises(InputError, match="pack.tokenizer: none.json cannot be read"):
        pack.run(pack.PackParams(vocab_size=999, tokenizer="none.json"))
