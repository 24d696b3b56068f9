"""Size and cost of a proxy model: parameter counts and training FLOPs, without torch.

A proxy is a decoder-only transformer with query, key, value and output maps of d x d, an MLP of width 4d, a token
embedding and an untied head; norms carry no weights. So n_params (non-embedding) = 12 n_layers d^2 exactly.
A mixture of experts counts in n_params what a token uses: router and its experts; n_params_total counts all of them.
"""

from dataclasses import dataclass, replace

from stages.foundation.errors import InputError

MLP_RATIO = 4  # cited: Vaswani et al. 2017
BACKWARD = 3  # a training step costs three forward passes: one forward, two products per weight backward
LADDER = {
    "6k": (16, 2),
    "25k": (32, 2),
    "55k": (48, 2),
    "147k": (64, 3),
    "332k": (96, 3),
    "786k": (128, 4),
    "3.1M": (256, 4),
    "9.4M": (512, 3),
    "15M": (512, 5),
    "30M": (640, 6),
    "60M": (640, 12),
    "85M": (768, 12),
    "302M": (1024, 24),
}
HEAD_WIDTH = 32  # measured: at d_model 32 one head of 32 learns as well as two of 16, in 0.85 of the time
# assumed: from this width on heads of 64, which FlashAttention fills better
WIDE, WIDE_HEAD = (320, 64)


@dataclass(frozen=True)
class Shape:
    """A proxy model. Example: `Shape(d_model=32, n_layers=2, n_heads=1, context=128,
    vocab_size=512).n_params == 24576`.
    """

    d_model: int
    n_layers: int
    n_heads: int
    context: int
    vocab_size: int
    qk_norm: bool = True  # queries and keys to unit mean square before their product
    n_experts: int = 0  # 0: dense
    top_k: int = 0  # experts that a token uses
    expert_width: int = 0  # hidden units of an expert; granularity in the laws is 2 d_model / expert_width
    # layers from one with experts to the next; the last of each such stretch has them, the others
    # stay dense
    expert_every: int = 1

    def __post_init__(self):
        if (
            min(
                self.d_model, self.n_layers, self.n_heads, self.context, self.vocab_size
            )
            < 1
        ):
            raise InputError(
                f"a model shape needs positive sizes, this one is {self}; raise the one"
                " below 1"
            )
        if self.d_model % (2 * self.n_heads):
            raise InputError(
                f"d_model {self.d_model} does not divide into {self.n_heads} heads of"
                " even width; change n_heads"
            )
        if self.n_experts and not (
            1 <= self.top_k <= self.n_experts and self.expert_width >= 1
        ):
            raise InputError(
                f"{self.n_experts} experts of width {self.expert_width} with"
                f" {self.top_k} for each token; give a width, and a top_k from 1 to the"
                " number of experts"
            )
        if not 1 <= self.expert_every <= self.n_layers:
            raise InputError(
                f"experts in every {self.expert_every}. layer of {self.n_layers} leave"
                f" none with experts; give 1 to {self.n_layers}"
            )

    @classmethod
    def named(
        cls,
        name: str,
        *,
        context: int = 128,
        vocab_size: int = 512,
        qk_norm: bool = True,
    ) -> "Shape":
        """A rung of the ladder by its non-embedding size, such as "25k"."""
        if name not in LADDER:
            raise InputError(
                f"no proxy size {name!r}; choose one of {', '.join(LADDER)}"
            )
        d_model, n_layers = LADDER[name]
        return cls(
            d_model,
            n_layers,
            max(1, d_model // (WIDE_HEAD if d_model >= WIDE else HEAD_WIDTH)),
            context,
            vocab_size,
            qk_norm,
        )

    @property
    def head_width(self) -> int:
        return self.d_model // self.n_heads

    def with_experts(
        self, n_experts: int, top_k: int, granularity: float = 1.0, every: int = 1
    ) -> "Shape":
        """This shape with experts in place of every `every`-th MLP; granularity 1 is the dense MLP
        split over the `top_k` active experts.

        Example: `Shape.named("25k").with_experts(8, 2)` has 4 times the MLP weights and does the
        arithmetic of the dense one.
        """
        width = max(1, round(MLP_RATIO * self.d_model / (top_k * granularity)))
        return replace(
            self,
            n_experts=n_experts,
            top_k=top_k,
            expert_width=width,
            expert_every=every,
        )

    def has_experts(self, layer: int) -> bool:
        """Whether a layer, counted from 0, has experts in place of its MLP."""
        return self.n_experts > 0 and (layer + 1) % self.expert_every == 0

    @property
    def mixture_variables(self) -> dict[str, float]:
        """What the laws over mixtures of experts call the form of one; nothing for a dense model."""
        if not self.n_experts:
            return {}
        some = (
            {"expert_layers": self.n_layers // self.expert_every / self.n_layers}
            if self.expert_every > 1
            else {}
        )
        return {
            "activation_ratio": self.top_k / self.n_experts,
            "granularity": 2 * self.d_model / self.expert_width,
        } | some

    def _layers_params(self, n_used: int) -> int:
        """Weights of all layers with `n_used` of the experts of each that has them."""
        mixed = self.n_layers // self.expert_every if self.n_experts else 0
        mlp = (
            mixed * self.d_model * (2 * n_used * self.expert_width + self.n_experts)
            + (self.n_layers - mixed) * 2 * MLP_RATIO * self.d_model**2
        )
        return self.n_layers * 4 * self.d_model**2 + mlp

    @property
    def n_params(self) -> int:
        """Non-embedding parameters that a token uses: without token embedding and head."""
        return self._layers_params(self.top_k)

    @property
    def n_params_total(self) -> int:
        """All weights: every expert, token embedding and head."""
        return self._layers_params(self.n_experts) + 2 * self.vocab_size * self.d_model

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs a token: three times the matrix products of a forward pass over a full context.

        Weights and head 2 each; scores and values 4 d for each of the (context + 1) / 2 keys that a token sees.
        """
        attention = self.n_layers * 2 * self.d_model * (self.context + 1)
        return BACKWARD * (
            2 * self.n_params + attention + 2 * self.vocab_size * self.d_model
        )

    @property
    def flops_per_token_6n(self) -> int:
        """The 6 N convention (Kaplan et al. 2020) with non-embedding N: what the runs table calls flops."""
        return 6 * self.n_params


def whole_batches(n_tokens: float, batch_tokens: int) -> int:
    """The nearest budget of whole batches, at least one. Example: `whole_batches(400_000, 512) == 399_872`."""
    return max(1, round(n_tokens / batch_tokens)) * batch_tokens
