"""A damaged checkpoint costs the time since the start, and never a changed loss or a failed group."""

import pytest

from stages.proxy.training.train import train_group
from stages.proxy.workforce.backlog import train_here
from stages.proxy.workforce.resumed import ANEW, damage


class Stopped(Exception):
    pass


@pytest.fixture
def stopped(make_spec, data, tmp_path):
    """A group that was stopped half way, and its checkpoint."""
    specs = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(2)]
    path = tmp_path / "group.pt"

    def stop(step):
        if step == 4:
            raise Stopped

    with pytest.raises(Stopped):
        train_group(
            specs, data, checkpoint=path, checkpoint_every_steps=2, on_step=stop
        )
    assert path.is_file() and damage(path) == ""
    return specs, path


def flipped(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def weights_byte(path):
    """A byte in the middle of the file, which is one of the weights or moments."""
    flipped(path, path.stat().st_size // 2)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def of_other_runs(path):
    import torch

    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"identity": {"specs": "others"}}, path)


@pytest.mark.parametrize("harm", [weights_byte, cut, emptied, of_other_runs])
def test_the_group_starts_anew_and_its_losses_are_those_of_a_whole_run(
    stopped, data, harm, caplog
):
    specs, path = stopped
    harm(path)
    results = []
    failures = train_here(
        [specs],
        data,
        device="cpu",
        on_result=results.append,
        checkpoint=lambda group: path,
    )
    assert failures == []
    assert ANEW in results[0].notes
    assert "start anew" in caplog.text
    assert (path.parent / "group.pt.damaged").is_file() and not path.exists()
    for found, whole in zip(results, train_group(specs, data), strict=True):
        assert (
            found.budgets[0].held_out["held"].loss_nats
            == whole.budgets[0].held_out["held"].loss_nats
        )


def test_a_sound_checkpoint_is_gone_on_from(stopped, data):
    specs, path = stopped
    results = []
    train_here(
        [specs],
        data,
        device="cpu",
        on_result=results.append,
        checkpoint=lambda group: path,
    )
    assert ANEW not in results[0].notes
    assert not (path.parent / "group.pt.damaged").exists()


def test_no_changed_byte_of_the_weights_passes(stopped):
    _, path = stopped
    whole = path.read_bytes()
    middle = range(len(whole) // 4, 3 * len(whole) // 4, len(whole) // 40)
    for place in middle:
        flipped(path, place)
        assert damage(path), place
        path.write_bytes(whole)
