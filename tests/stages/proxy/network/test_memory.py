import subprocess
import sys

import pytest
import torch
from torch._functorch.aot_autograd import aot_function
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.decomposition import select_decomp_table
from torch._subclasses.fake_tensor import FakeTensorMode

from stages.proxy.card.parts import CARD
from stages.proxy.network import model
from stages.proxy.network.memory import (
    CHECKPOINT_COPIES,
    TRUNK_COPIES,
    available_bytes,
    cuda_activation_bytes,
    runs_that_fit,
    training_bytes,
)
from stages.proxy.specs.shape import Shape
from stages.proxy.training.train import Trainer

SHAPE = Shape.named("25k")


def n_bytes(*tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_counting_memory_imports_no_compiler():
    """Torch's takes seconds to import, which every sweep on CPU would pay."""
    counted = (
        "import sys; from stages.proxy.network.memory import training_bytes as counted;"
        " from stages.proxy.specs.shape import Shape;"
        " counted(Shape.named('6k'), 512, n_runs=2);"
        " sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", counted]).returncode == 0


def test_the_estimate_holds_what_a_group_in_training_keeps(make_spec, data):
    """In the middle of a branch with a checkpoint made: short only of the held-out buffers, which
    are as large as those of training.
    """
    specs = [make_spec(seed=seed) for seed in range(4)]
    trainer = Trainer(specs, data, "cpu")

    def stop(step):
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(on_step=stop)
    state, weights, optimiser = trainer.state(), trainer.weights, trainer.optimiser
    buffers = [
        part
        for value in vars(trainer.engine._buffers).values()
        for part in (value if isinstance(value, list) else [value])
    ]
    copies = [
        part
        for saved in (state["optimiser"], state["place"]["trunk"])
        for part in saved.values()
        if isinstance(part, torch.Tensor)
    ]
    kept = n_bytes(
        weights.flat,
        weights.grad,
        optimiser.first,
        optimiser.second,
        optimiser._work,
        *copies,
    )
    kept += 2 * n_bytes(*(part for part in buffers if isinstance(part, torch.Tensor)))
    assert kept == training_bytes(specs[0].shape, specs[0].batch_tokens, 4)
    assert available_bytes() > kept


def test_bytes_grow_with_runs_batch_and_dropout():
    one = training_bytes(SHAPE, 512, 1)
    assert 1.8 * one < training_bytes(SHAPE, 512, 2) < 2.1 * one
    assert training_bytes(SHAPE, 1024, 1) > one
    assert training_bytes(SHAPE, 512, 1, dropout=True) > one
    assert training_bytes(SHAPE, 512, 1, "cuda") > 0


@pytest.mark.parametrize("n_runs", [1, 4, 64])
def test_runs_that_fit_is_the_largest_power_of_two(n_runs):
    needed = training_bytes(SHAPE, 512, n_runs)
    assert runs_that_fit(SHAPE, 512, n_bytes=needed) == n_runs
    assert runs_that_fit(SHAPE, 512, n_bytes=needed - 1) == n_runs // 2


@pytest.mark.parametrize(
    ("shape", "n_runs", "n_sequences", "seen_gb"),
    [
        (Shape(512, 3, 8, 512, 4096), 64, 8, 34.87),
        (Shape(192, 2, 3, 512, 4096), 64, 8, 11.04),
        (Shape(768, 12, 12, 1024, 50_304), 1, 16, 12.26),
    ],
)
def test_the_plan_is_within_a_tenth_of_what_an_h200_took(
    shape, n_runs, n_sequences, seen_gb
):
    """Measured without a trunk behind a branch and without a checkpoint."""
    planned = training_bytes(shape, n_sequences * shape.context, n_runs, "cuda")
    without = (TRUNK_COPIES + CHECKPOINT_COPIES) * 4 * n_runs * shape.n_params_total
    assert (planned - without) / 1e9 == pytest.approx(seen_gb, rel=0.1)


def kept_by_the_compiler(shape, n_runs, n_sequences):
    """Bytes between forward and backward pass of the program that torch's compiler makes, on tensors without memory."""
    kept = []

    def memory(nodes):
        """Bytes by piece of memory, of which several tensors can be views."""
        values = [node.meta["val"] for node in nodes if node is not None]
        pieces = [v.untyped_storage() for v in values if isinstance(v, torch.Tensor)]
        return {piece._cdata: piece.nbytes() for piece in pieces}

    def forward(graph, _inputs):
        [made] = graph.graph.find_nodes(op="output")
        given = memory(graph.graph.find_nodes(op="placeholder"))
        pieces = memory(made.args[0])
        kept.append(sum(size for key, size in pieces.items() if key not in given))
        return graph.forward

    with FakeTensorMode(), torch.autocast("cpu", torch.bfloat16):
        weights = {
            name: torch.empty(
                n_runs,
                *size,
                dtype=torch.float32 if name == "embedding" else torch.bfloat16,
                requires_grad=True,
            )
            for name, size in model.weight_sizes(shape).items()
        }
        tokens = torch.zeros(n_runs, n_sequences, shape.context, dtype=torch.int64)
        turn = (torch.empty(shape.context, shape.head_width // 2),) * 2
        aot_function(
            lambda weights, tokens, turn: model.losses_and_more(
                weights, shape, tokens, tokens, None, turn, parts=CARD
            )[0],
            fw_compiler=forward,
            bw_compiler=lambda graph, _: graph.forward,
            partition_fn=min_cut_rematerialization_partition,
            decompositions=select_decomp_table(),
        )(weights, tokens, turn)
    return kept[0]


@pytest.mark.filterwarnings("ignore")  # torch's own while tracing
@pytest.mark.parametrize(
    ("shape", "n_runs"), [(Shape(64, 2, 4, 32, 128), 4), (Shape(96, 3, 3, 64, 512), 2)]
)
def test_what_a_card_keeps_is_what_the_compiler_chooses(shape, n_runs):
    n_tokens = n_runs * 4 * shape.context
    gradient_of_logits = 2 * n_tokens * shape.vocab_size
    laid_out = kept_by_the_compiler(shape, n_runs, 4) + gradient_of_logits
    assert cuda_activation_bytes(shape, n_tokens) == pytest.approx(laid_out, rel=0.05)
