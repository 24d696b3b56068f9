"""The hash of the trainer: what moves it and what does not."""

import pytest

from stages.proxy.workforce import kinds, planner, progress, worker_main, workers
from stages.runs.trainer_version import (
    IMAGE_TRAINER,
    TEXT_TRAINER,
    code_hash,
    syntax_of,
)

SOURCE = '''"""A docstring."""
from stages.proxy.tokens.view import View


def step(lr: float) -> float:
    """What a step does."""
    return lr * 0.5  # half
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A docstring", "Another docstring"),
        ("What a step does", "Half the rate"),
        ("  # half", ""),
        ("lr * 0.5", "(lr*0.5)"),
        ("stages.proxy.tokens.view", "stages.proxy.tokens.view"),
    ],
)
def test_words_layout_and_places_do_not_change_it(old, new):
    assert old in SOURCE
    assert syntax_of(SOURCE.replace(old, new)) == syntax_of(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.5", "0.25"), ("lr *", "lr +"), ("import View", "import Course")],
)
def test_what_the_code_does_changes_it(old, new):
    assert syntax_of(SOURCE.replace(old, new)) != syntax_of(SOURCE)


def test_a_renamed_or_moved_file_keeps_it(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b", "a"):
        (tmp_path / f"{name}.py").write_text(f"x = '{name}'\n")
    before = code_hash(sorted(tmp_path.glob("*.py")))
    (tmp_path / "a.py").rename(tmp_path / "sub/z.py")
    assert code_hash(sorted(tmp_path.rglob("*.py"))) == before


def test_every_file_of_the_trainer_is_there_and_workers_are_not_among_them():
    assert all(file.is_file() for file in IMAGE_TRAINER)
    assert set(TEXT_TRAINER) < set(IMAGE_TRAINER)
    names = {file.as_posix() for file in IMAGE_TRAINER}
    for module in (kinds, planner, progress, workers, worker_main):
        assert module.__file__ not in names


def test_a_changed_optimiser_changes_it(tmp_path):
    copies = []
    for file in TEXT_TRAINER:
        copies.append(tmp_path / file.name)
        copies[-1].write_text(file.read_text("utf-8"))
    before = code_hash(copies)
    assert before == code_hash()
    optimiser = tmp_path / "adamw.py"
    optimiser.write_text(optimiser.read_text("utf-8").replace("1e-8", "1e-9"))
    assert code_hash(copies) != before
