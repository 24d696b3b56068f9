import json
import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.packed import Packed, Prompt, write_packed

DOCUMENTS = [
    ("a", np.array([5, 6, 0]), 11),
    ("b", np.array([7]), 2),
    ("c", np.array([], int), 0),
]


def write(folder, **changes):
    return write_packed(
        folder, DOCUMENTS, **({"vocab_size": 512, "eos_id": 0} | changes)
    )


def test_documents_come_back_each_ending_in_eos(tmp_path):
    pack = write(tmp_path / "pool")
    assert [pack.document(row).tolist() for row in range(3)] == [[5, 6, 0], [7, 0], [0]]
    assert pack.ids.tolist() == ["a", "b", "c"]
    assert pack.n_bytes.tolist() == [11, 2, 0]
    assert (pack.n_documents, pack.n_tokens) == (3, 6)
    pack.verify()


def test_files_have_the_promised_columns_and_types(tmp_path):
    write(tmp_path / "pool")
    schema = pq.read_schema(tmp_path / "pool" / "index.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        "id": "string",
        "start": "int64",
        "n_tokens": "int32",
        "n_bytes": "int32",
    }
    meta = json.loads((tmp_path / "pool" / "meta.json").read_text())
    assert set(meta) == {
        "dtype",
        "vocab_size",
        "eos_id",
        "n_documents",
        "n_tokens",
        "tokens_sha256",
    }
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)]
)
def test_the_smallest_sufficient_type_is_used(tmp_path, vocab_size, dtype):
    pack = write_packed(
        tmp_path / "pool",
        [("a", np.array([vocab_size - 1]), 1)],
        vocab_size=vocab_size,
        eos_id=0,
    )
    assert pack.tokens.dtype == dtype
    assert pack.tokens.tolist() == [vocab_size - 1, 0]


def test_writing_replaces_and_a_failed_write_leaves_the_old_pack(tmp_path):
    write(tmp_path / "pool")
    with pytest.raises(
        InputError,
        match="document 'x' has tokens from 600 to 600, the vocabulary has 512 words",
    ):
        write_packed(
            tmp_path / "pool", [("x", np.array([600]), 1)], vocab_size=512, eos_id=0
        )
    assert Packed.open(tmp_path / "pool").n_documents == 3
    assert (
        write_packed(
            tmp_path / "pool", DOCUMENTS[:1], vocab_size=512, eos_id=0
        ).n_documents
        == 1
    )
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


def test_a_pack_is_pickled_by_its_folder(tmp_path):
    pack = write(tmp_path / "pool")
    message = pickle.dumps(pack)
    assert len(message) < 500
    assert pickle.loads(message).tokens.tolist() == pack.tokens.tolist()


def cut(folder):
    (folder / "tokens.bin").write_bytes((folder / "tokens.bin").read_bytes()[:-2])


def lose_tokens(folder):
    (folder / "tokens.bin").unlink()


def lose_meta(folder):
    (folder / "meta.json").unlink()


def break_index(folder):
    (folder / "index.parquet").write_bytes(b"PAR1")


def other_index(folder):
    write(folder.with_name("other"), eos_id=5)
    (folder.with_name("other") / "index.parquet").replace(folder / "index.parquet")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"n_documents": 2}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "tokens.bin has 10 bytes, meta.json promises 12 bytes; pack"),
        (lose_tokens, "tokens.bin is missing, meta.json promises 12 bytes"),
        (lose_meta, "has no meta.json"),
        (break_index, "index.parquet cannot be read"),
        (other_index, "lists 3 documents"),
    ],
)
def test_damage_is_one_line(tmp_path, damage, message):
    write(tmp_path / "pool")
    damage(tmp_path / "pool")
    with pytest.raises(InputError, match=message) as caught:
        Packed.open(tmp_path / "pool")
    assert "\n" not in str(caught.value)


def test_a_changed_token_fails_the_hash_only_when_asked(tmp_path):
    write(tmp_path / "pool")
    (tmp_path / "pool" / "tokens.bin").write_bytes(b"\1" * 12)
    with pytest.raises(InputError, match="has sha256"):
        Packed.open(tmp_path / "pool").verify()


def test_nothing_to_pack_and_a_wrong_eos_are_refused(tmp_path):
    with pytest.raises(InputError, match="no documents"):
        write_packed(tmp_path / "pool", [], vocab_size=512, eos_id=0)
    with pytest.raises(InputError, match="eos_id 512 is outside"):
        write(tmp_path / "pool", eos_id=512)


def test_a_prompt_is_kept_by_its_length_and_tokens_stay_as_they_were(tmp_path):
    plain = write(tmp_path / "plain")
    asked = [(*DOCUMENTS[0], Prompt(2, 7)), DOCUMENTS[1], (*DOCUMENTS[2], Prompt(0, 0))]
    pack = write_packed(tmp_path / "asked", asked, vocab_size=512, eos_id=0)
    assert pack.tokens_sha256 == plain.tokens_sha256
    assert pack.n_scored_each.tolist() == [1, 2, 1]
    assert pack.n_scored_bytes.tolist() == [4, 2, 0]
    assert pack.is_scored(np.arange(6)).tolist() == [False, False, *[True] * 4]
    assert plain.is_scored(np.arange(6)).all()
    assert pickle.loads(pickle.dumps(pack)).prompts_sha256 == pack.prompts_sha256 != ""


def test_a_pack_without_prompts_has_the_bytes_that_it_had(tmp_path):
    plain = write(tmp_path / "plain")
    none = [(*document, Prompt(0, 0)) for document in DOCUMENTS]
    same = write_packed(tmp_path / "none", none, vocab_size=512, eos_id=0)
    for name in ("tokens.bin", "index.parquet", "meta.json"):
        assert (plain.folder / name).read_bytes() == (same.folder / name).read_bytes()
    assert json.loads((plain.folder / "meta.json").read_text()).keys() == {
        "dtype",
        "vocab_size",
        "eos_id",
        "n_documents",
        "n_tokens",
        "tokens_sha256",
    }
    assert same.prompts_sha256 == ""


def test_a_prompt_that_leaves_nothing_to_score_is_refused(tmp_path):
    all_of_it = [("a", np.array([5, 6]), 11, Prompt(3, 11))]
    with pytest.raises(InputError, match="'a' has a prompt of 3 of its 3 tokens"):
        write_packed(tmp_path / "p", all_of_it, vocab_size=512, eos_id=0)
