"""Programs counted with a backend that runs them as they are: what costs 10 s each on a card."""

import os

import pytest
import torch

from stages.proxy.network import compiled, engine
from stages.proxy.network.adamw import AdamW, one_update
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own while tracing
SHAPES = [Shape(16, layers, 2, 8, 32) for layers in (1, 2)]


@pytest.fixture
def programs(monkeypatch):
    """Every program that is compiled from now on."""
    made = []

    def counting(graph, _inputs):
        made.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(
        engine, "program", lambda function: compiled.program(function, counting)
    )
    compiled.program.cache_clear()
    yield made
    compiled.program.cache_clear()
    torch._dynamo.reset()


def window(shape, n_runs, step):
    """Inputs and targets as a feed gives them: windows into a longer row of tokens of each run."""
    tokens = torch.arange(n_runs * 100).view(n_runs, 100) % shape.vocab_size
    inputs = tokens[:, 16 * step : 16 * step + 16].unflatten(1, (2, 8))
    targets = tokens[:, 16 * step + 1 : 16 * step + 17].unflatten(1, (2, 8))
    return inputs, targets


def gradient(shape, n_runs, keep=None, **options):
    weights = Weights(shape, range(n_runs))
    AutogradEngine(weights, **options).step_loss(*window(shape, n_runs, 1), keep)
    return weights.grad.clone()


def test_a_ladder_has_as_many_programs_as_shapes(programs):
    for shape in SHAPES:
        for n_runs in (2, 3, 5, 16):
            found = gradient(shape, n_runs, compiled=True)
            assert torch.allclose(found, gradient(shape, n_runs), rtol=1e-4, atol=1e-6)
    assert len(programs) == len(SHAPES)


def test_a_run_alone_has_a_program_of_its_own(programs):
    for n_runs in (1, 2, 3):
        gradient(SHAPES[0], n_runs, compiled=True)
    assert len(programs) == 2


def test_dropout_is_part_of_the_program_whatever_the_stack(programs):
    for n_runs in (2, 4):
        keep = torch.ones(3, n_runs, 2, 8, 16)
        found = gradient(SHAPES[0], n_runs, keep, compiled=True)
        assert torch.allclose(found, gradient(SHAPES[0], n_runs), rtol=1e-4, atol=1e-6)
    assert len(programs) == 1


@pytest.mark.parametrize("n_runs", [1, 3])
def test_windows_of_a_feed_and_tensors_that_stay_in_place_share_a_program(
    programs, n_runs
):
    """Else the recording of a step, which reads copies of the batch, would have to compile inside."""
    weights = Weights(SHAPES[0], range(n_runs))
    engine = AutogradEngine(weights, compiled=True)
    for step in (0, 2):
        engine.step_loss(*window(SHAPES[0], n_runs, step))
    with torch.compiler.set_stance("fail_on_recompile"):
        inputs, targets = window(SHAPES[0], n_runs, 3)
        engine.step_loss(inputs.clone(), targets.clone())
    assert len(programs) == 1


def test_the_update_of_every_stack_is_one_program_of_its_shape(programs):
    update = compiled.program(
        one_update, lambda graph, _: programs.append(graph) or graph.forward
    )
    for n_runs in (2, 3, 7):
        weights = Weights(SHAPES[0], range(n_runs))
        optimiser = AdamW(weights, [0.01] * n_runs, [0.1] * n_runs)
        for step in (1, 2):
            weights.grad.fill_(0.1)
            with torch.no_grad():
                optimiser.update(0.5, step, update)
    assert len(programs) == 1


def test_programs_are_kept_in_a_folder_unless_the_user_names_one(monkeypatch, tmp_path):
    monkeypatch.delenv(compiled.CACHE, raising=False)
    compiled.keep_programs_in(tmp_path / "mine")
    assert os.environ[compiled.CACHE] == str(tmp_path / "mine")
    compiled.keep_programs_in(tmp_path / "other")
    assert os.environ[compiled.CACHE] == str(tmp_path / "mine")
