import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import HeldOut, Scorer, domain_loss
from stages.proxy.network.engine import AutogradEngine, build_engine
from stages.proxy.network.model import Weights, token_losses
from stages.proxy.specs.shape import Shape
from stages.proxy.tokens.packed import Prompt, write_packed

SHAPE = Shape(16, 2, 2, 32, 64)


@pytest.fixture(scope="module")
def weights():
    made = Weights(SHAPE, [1, 2])
    with torch.no_grad():
        made.named["head"].normal_()
    return made


def test_every_document_equals_its_windows_scored_one_by_one(make_pack, weights):
    pack = make_pack(25, seed=3)
    scorer = Scorer({"held": HeldOut(pack)}, context=32, batch_tokens=200)
    for engine in (AutogradEngine(weights), build_engine(weights)):
        scores = scorer.score(engine.token_losses, 2)
        for run in range(2):
            expected = [document_loss(weights, pack, row, run) for row in range(25)]
            assert scores[run]["held"].document_loss_nats == pytest.approx(
                expected, rel=1e-4
            )
            assert scores[run]["held"].loss_nats == pytest.approx(
                sum(expected) / pack.n_tokens, rel=1e-5
            )


def document_loss(weights, pack, row, run):
    total, document = 0.0, torch.from_numpy(pack.document(row).astype(np.int64))
    for window in document.split(32):
        inputs = torch.cat([torch.tensor([pack.eos_id]), window[:-1]])
        one = {name: weight[run : run + 1] for name, weight in weights.named.items()}
        total += float(
            token_losses(one, SHAPE, inputs[None, None], window[None, None])
            .sum(dtype=torch.float64)
            .detach()
        )
    return total


@pytest.mark.parametrize("batch_tokens", [1, 64, 10_000])
def test_every_token_is_predicted_once_whatever_the_batch(make_pack, batch_tokens):
    pack = make_pack(25, seed=3)
    found = np.zeros(25, int)
    for inputs, targets, document in HeldOut(pack).batches(32, batch_tokens):
        assert inputs.shape == targets.shape
        np.add.at(found, document, (targets >= 0).sum(1))
    assert found.tolist() == pack.n_tokens_each.tolist()


def test_padding_is_a_small_part(make_pack):
    pack = make_pack(200, seed=4, longest=600)
    n_slots = sum(inputs.size for inputs, _, _ in HeldOut(pack).batches(128, 1024))
    assert n_slots < 1.03 * pack.n_tokens


def test_a_cap_keeps_a_fixed_random_choice_of_whole_documents(make_pack):
    pack = make_pack(100, seed=5)
    capped = HeldOut(pack, max_tokens=1000)
    assert 800 < capped.n_tokens_each.sum() <= 1000
    assert capped.chosen.tolist() == sorted(HeldOut(pack, max_tokens=1000).chosen)
    assert capped.chosen.max() > 50
    assert set(HeldOut(pack, max_tokens=500).chosen) < set(capped.chosen)
    assert HeldOut(pack, rows=np.array([7, 3])).chosen.tolist() == [3, 7]
    with pytest.raises(InputError, match="fits into 0 tokens; raise the cap"):
        HeldOut(pack, max_tokens=0).n_tokens_each.sum()


def test_the_standard_error_matches_resampled_documents():
    random = np.random.default_rng(0)
    n_tokens = random.integers(10, 200, 400)
    losses = n_tokens * (3 + 0.5 * random.standard_normal(400))
    found = domain_loss(losses, n_tokens, 4 * n_tokens)
    draws = random.integers(0, 400, (4000, 400))
    resampled = losses[draws].sum(1) / n_tokens[draws].sum(1)
    assert found.standard_error_nats == pytest.approx(resampled.std(), rel=0.05)
    assert found.loss_nats == losses.sum() / n_tokens.sum()
    assert found.bits_per_byte == pytest.approx(found.loss_nats / np.log(2) / 4)
    assert np.isnan(
        domain_loss(losses[:1], n_tokens[:1], n_tokens[:1]).standard_error_nats
    )


def test_a_document_with_a_prompt_is_judged_on_its_answer(tmp_path, weights):
    rng = np.random.default_rng(4)
    texts = [rng.integers(1, 64, 70), rng.integers(1, 64, 20)]
    plain = [("a", texts[0], 90), ("b", texts[1], 30)]
    asked = [(*plain[0], Prompt(40, 50)), plain[1]]
    losses = {}
    for name, documents in (("plain", plain), ("asked", asked)):
        pack = write_packed(tmp_path / name, documents, vocab_size=64, eos_id=0)
        losses[name] = HeldOut(pack), pack
    found = {
        name: Scorer({"h": held}, context=32, batch_tokens=64).score(
            build_engine(weights).token_losses, 2
        )[0]["h"]
        for name, (held, _) in losses.items()
    }
    pack = losses["plain"][1]
    document = torch.from_numpy(pack.document(0).astype(np.int64))
    # windows of 32: the prompt ends inside the second
    expected = 0.0
    one = {name: weight[:1] for name, weight in weights.named.items()}
    for number, window in enumerate(document.split(32)):
        inputs = torch.cat([torch.tensor([0]), window[:-1]])
        each = token_losses(one, SHAPE, inputs[None, None], window[None, None])
        expected += float(each[0, 0, max(0, 40 - 32 * number) :].sum().detach())
    asked_of = found["asked"]
    assert asked_of.document_loss_nats[0] == pytest.approx(expected, rel=1e-4)
    assert asked_of.document_loss_nats[1] == pytest.approx(
        found["plain"].document_loss_nats[1], rel=1e-6
    )
    assert asked_of.n_tokens == (71 - 40) + 21
    total = asked_of.document_loss_nats.sum()
    assert asked_of.bits_per_byte == pytest.approx(total / np.log(2) / (40 + 30))
