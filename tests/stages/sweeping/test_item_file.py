"""Item files: what is read, how it is tokenised, and one line for each way to get it wrong."""

import json

import pytest

from stages.foundation.errors import InputError
from stages.pools.tokens import EOS, train_tokenizer
from stages.sweeping.item_file import read_items, write_copy_task


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    made = train_tokenizer(
        iter(["the red cat sat on the blue mat", "a green hat, a caf\u00e9"] * 20), 300
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return made, path, made.token_to_id(EOS)


def write(folder, *rows):
    path = folder / "quiz.jsonl"
    path.write_text(
        "".join(
            (row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows
        )
    )
    return path


def test_choices_and_tasks_are_read_from_one_file(tmp_path, tokenizer):
    made, file, eos_id = tokenizer
    path = write(
        tmp_path,
        {
            "question": "The cat sat on the",
            "choices": ["mat", "caf\u00e9"],
            "answer": 0,
        },
        {"question": "red cat. red ", "answer": "caf\u00e9"},
    )
    items = read_items(path, file, eos_id)
    assert items.name == "quiz"
    assert made.decode(
        items.choices.choices[0][1].tolist()
    ) == " caf\u00e9" and items.choices.n_bytes == [[4, 6]]
    assert items.passes.answers == ["caf\u00e9".encode()]
    spelled = b"".join(
        items.passes.token_bytes[token]
        for token in made.encode("the blue caf\u00e9, hat").ids
    )
    assert spelled.decode() == "the blue caf\u00e9, hat"
    path.write_text(path.read_text() + "\n")
    assert read_items(path, file, eos_id).fingerprint != items.fingerprint


def test_the_copy_task_can_be_read_and_checked(tmp_path, tokenizer):
    made, file, eos_id = tokenizer
    write_copy_task(
        tmp_path / "copy.jsonl", ["red", "blue", "green", "hat"], 5, 3, seed=1
    )
    items = read_items(tmp_path / "copy.jsonl", file, eos_id)
    assert items.choices is None and len(items.passes.questions) == 5
    for question, answer in zip(
        items.passes.questions, items.passes.answers, strict=True
    ):
        words = made.decode(question.tolist()).replace(".", "").split()
        assert words[:2] == words[3:] and answer == b" " + words[2].encode()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{broken", "quiz.jsonl:2: broken JSON"),
        ({"choices": ["a", "b"], "answer": 0}, "quiz.jsonl:2: no item"),
        ({"question": "q", "choices": ["a"], "answer": 0}, "two or more texts"),
        ({"question": "q", "choices": ["a", " "], "answer": 0}, "two or more texts"),
        ({"question": "q", "choices": ["a", "b"], "answer": 2}, "index from 0 to 1"),
        ({"question": "q", "choices": ["a", "b"], "answer": True}, "index from 0 to 1"),
        ({"question": "q", "answer": ""}, "quiz.jsonl:2: no item"),
    ],
)
def test_a_wrong_line_is_named_with_its_cure(tmp_path, tokenizer, row, said):
    path = write(tmp_path, {"question": "q", "answer": "a"}, row)
    with pytest.raises(InputError, match=said):
        read_items(path, tokenizer[1], tokenizer[2])


def test_a_missing_or_empty_file_is_named(tmp_path, tokenizer):
    with pytest.raises(InputError, match="none.jsonl: cannot be read"):
        read_items(tmp_path / "none.jsonl", tokenizer[1], 0)
    with pytest.raises(InputError, match="no items"):
        read_items(write(tmp_path), tokenizer[1], 0)
