"""The kernels of a card against what torch writes: on a card where there is one, else by Triton's interpreter."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from stages.proxy.card.parts import CARD, copy_rows
from stages.proxy.network import model
from stages.proxy.network.compiled import runs_open
from stages.proxy.network.engine import AutogradEngine, _half_copy
from stages.proxy.network.model import PLAIN, Weights
from stages.proxy.specs.shape import Shape

pytestmark = [pytest.mark.filterwarnings("ignore")]  # Triton's own
if torch.cuda.is_available():
    pytestmark.append(pytest.mark.gpu)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def numbers(*size, seed=0, dtype=torch.float32):
    made = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return made.to(DEVICE, dtype)


def near(found, expected, tolerance):
    error = (found.double() - expected.double()).norm() / expected.double().norm()
    return error <= tolerance


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)]
)
@pytest.mark.parametrize("eps", [model.NORM_EPS, None])
@pytest.mark.parametrize(
    ("n_sequences", "context", "n_heads", "width"),
    [(2, 5, 3, 16), (1, 8, 1, 24), (3, 4, 2, 64), (1, 1, 1, 2)],
)
def test_heads_and_their_gradient(
    dtype, tolerance, eps, n_sequences, context, n_heads, width
):
    split = numbers(n_sequences, context, 3, n_heads, width, dtype=dtype)
    turn = tuple(numbers(context, width // 2, seed=seed) for seed in (1, 2))
    angle = torch.atan2(*turn)
    turn = angle.cos(), angle.sin()
    found = []
    for parts, wanted in ((PLAIN, torch.float64), (CARD, dtype)):
        given = split.to(wanted).requires_grad_()
        made = parts.heads(given, tuple(t.to(torch.float32) for t in turn), eps)
        ways = [numbers(*m.shape, seed=3 + i) for i, m in enumerate(made)]
        # one gradient comes in another layout, as attention gives it
        ways[1] = ways[1].transpose(1, 2).contiguous().transpose(1, 2)
        total = sum((m * way.to(m)).sum() for m, way in zip(made, ways, strict=True))
        found.append((*made, *torch.autograd.grad(total, given)))
    for exact, ours in zip(*found, strict=True):
        assert ours.shape == exact.shape and ours.dtype == dtype
        assert near(ours, exact, tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)]
)
@pytest.mark.parametrize(("n_rows", "n_words"), [(7, 50), (3, 5000), (70, 64), (1, 2)])
def test_losses_and_their_gradient(dtype, tolerance, n_rows, n_words):
    """A third of the targets is of a prompt: no loss and no gradient but that of the softmax's sum."""
    logits = 4 * numbers(n_rows, n_words, dtype=dtype)
    targets = torch.arange(n_rows, device=DEVICE) * 7 % n_words
    targets[2::3] = -100
    found = []
    for parts, wanted in ((PLAIN, torch.float64), (CARD, dtype)):
        given = logits.to(wanted).requires_grad_()
        losses, sums = parts.losses(given, targets, True)
        total = (losses * numbers(n_rows, seed=1).to(losses)).sum()
        total = total + sums.square().mean()
        found.append((losses, sums, *torch.autograd.grad(total, given)))
    for exact, ours in zip(*found, strict=True):
        assert torch.allclose(ours.double(), exact, rtol=tolerance, atol=tolerance)
    assert found[1][0].dtype == torch.float32 and not found[1][0][2::3].any()


@pytest.mark.parametrize(("n_runs", "width"), [(1, 24), (3, 600), (2, 8)])
def test_the_gradient_of_the_embedding(n_runs, width):
    """Words that occur once, often and never."""
    inputs = torch.randint(0, 9, (n_runs, 4, 11), device=DEVICE)
    inputs[:, :2] = 3
    weight = numbers(n_runs, 12, width)
    way = numbers(n_runs, 4, 11, width, seed=1)
    found = []
    for parts in (PLAIN, CARD):
        given = weight.clone().requires_grad_()
        made = parts.embedded(given, inputs)
        found.append((made, *torch.autograd.grad((made * way).sum(), given)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)
    assert not found[1][1][:, 9:].any()


def test_rows_are_copied_and_added_into_a_wider_buffer():
    taken, given = numbers(3, 5000), torch.zeros(3, 9000, device=DEVICE)
    copy_rows(taken, given[:, 1000:6000])
    assert torch.equal(given[:, 1000:6000], taken)
    assert not given[:, :1000].any() and not given[:, 6000:].any()
    copy_rows(taken.bfloat16(), given[:, 1000:6000], add=True)
    assert torch.equal(given[:, 1000:6000], taken + taken.bfloat16().float())


def test_half_copies_are_the_weights_in_the_same_order():
    weights = Weights(Shape(16, 2, 2, 8, 32), [1, 2], DEVICE)
    half, leaves = _half_copy(weights, torch.bfloat16)
    copy_rows(weights.flat[:, weights.inner.start :], half)
    assert list(leaves) == list(weights.named)
    for name, leaf in leaves.items():
        # the interpreter cuts digits off where a card rounds
        assert torch.allclose(leaf.float(), weights.named[name], rtol=2**-7)
        assert leaf.requires_grad and leaf.is_leaf


@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize("options", [{}, {"z_loss": 1e-2, "eos_id": 3}])
def test_a_whole_step_in_one_graph(n_runs, options):
    """Traced as on a card, for any number of runs, with gradients of the model's reference."""
    shape = Shape(16, 2, 2, 8, 32)
    weights = Weights(shape, range(n_runs), DEVICE)
    with torch.no_grad():
        weights.named["head"].normal_()
    tokens = [torch.randint(0, 32, (n_runs, 3, 8), device=DEVICE) for _ in range(2)]
    plain = AutogradEngine(weights, **options)
    loss = plain.step_loss(*tokens)
    runs_open((*weights.named.values(), *tokens))
    traced = torch.compile(
        model.losses_and_more, dynamic=False, fullgraph=True, backend="aot_eager"
    )
    losses, more = traced(
        weights.named,
        shape,
        *tokens,
        None,
        model.rotary(shape, 8, weights.flat),
        options.get("z_loss", 0.0),
        options.get("eos_id"),
        parts=CARD,
    )
    gradients = torch.autograd.grad(
        (losses.mean((1, 2)) + more).sum(), list(weights.named.values())
    )
    assert near(losses.mean((1, 2)), loss, 1e-5)
    for found, name in zip(gradients, weights.named, strict=True):
        assert near(found, weights.named_grad[name], 1e-4), name
