"""Triton kernels of a training step on a card, and what launches them; `parts.py` is what others call.

Everything is computed in float32 and rounded once. Rows are (sequence, position, head) or (sequence, position),
whatever the stack; each thread reads and writes 16 bytes at a time.
"""

import torch
import triton
import triton.language as tl

HEAD_ROWS = 32  # assumed: rows of heads a program
LOSS_ELEMENTS = 4096  # assumed: logits a program
COPIED = 4096  # assumed: numbers of a row a program
SUMMED = 512  # assumed: columns a program


@triton.jit
def _turn_heads(
    qkv,
    cosine,
    sine,
    made,
    scales,
    n_rows,
    offset,
    context,
    n_heads: tl.constexpr,
    width: tl.constexpr,
    pairs: tl.constexpr,
    eps: tl.constexpr,
    normed: tl.constexpr,
    rows_each: tl.constexpr,
):
    """Queries or keys, which begin `offset` numbers into a token's row, normed and rotated."""
    row = tl.program_id(0) * rows_each + tl.arange(0, rows_each)
    exists = row < n_rows
    token = row // n_heads
    start = token.to(tl.int64) * (3 * n_heads * width) + offset
    start += (row % n_heads) * width
    column = tl.arange(0, 2 * pairs)
    inside = exists[:, None] & (column < width)[None, :]
    x = tl.load(qkv + start[:, None] + column[None, :], mask=inside, other=0.0)
    x = x.to(tl.float32)
    if normed:
        scale = tl.rsqrt(tl.sum(x * x, 1) / width + eps)
        tl.store(scales + row, scale, mask=exists)
        x = x * scale[:, None]
    real, imaginary = tl.split(tl.reshape(x, (rows_each, pairs, 2)))
    pair = tl.arange(0, pairs)
    half = width // 2
    inside = exists[:, None] & (pair < half)[None, :]
    place = (token % context)[:, None] * half + pair[None, :]
    cos = tl.load(cosine + place, mask=inside, other=0.0)
    sin = tl.load(sine + place, mask=inside, other=0.0)
    out = made + (row.to(tl.int64) * width)[:, None] + pair[None, :]
    tl.store(out, real * cos - imaginary * sin, mask=inside)
    tl.store(out + half, real * sin + imaginary * cos, mask=inside)


@triton.jit
def _turn_back(
    gradient,
    made,
    cosine,
    sine,
    scales,
    gradient_qkv,
    n_rows,
    offset,
    context,
    of_sequence,
    of_position,
    of_head,
    n_heads: tl.constexpr,
    width: tl.constexpr,
    pairs: tl.constexpr,
    normed: tl.constexpr,
    rows_each: tl.constexpr,
):
    """The gradient of `_turn_heads`: turned back, less its part along the vector itself, over the vector's size."""
    row = tl.program_id(0) * rows_each + tl.arange(0, rows_each)
    exists = row < n_rows
    token = row // n_heads
    head = row % n_heads
    pair = tl.arange(0, pairs)
    half = width // 2
    inside = exists[:, None] & (pair < half)[None, :]
    start = (token // context).to(tl.int64) * of_sequence
    start += (token % context).to(tl.int64) * of_position + head * of_head
    at = gradient + start[:, None] + pair[None, :]
    first = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(at + half, mask=inside, other=0.0).to(tl.float32)
    if normed:
        at = made + (row.to(tl.int64) * width)[:, None] + pair[None, :]
        y_first = tl.load(at, mask=inside, other=0.0).to(tl.float32)
        y_second = tl.load(at + half, mask=inside, other=0.0).to(tl.float32)
        along = tl.sum(first * y_first + second * y_second, 1) / width
        scale = tl.load(scales + row, mask=exists, other=0.0)
        first = (first - y_first * along[:, None]) * scale[:, None]
        second = (second - y_second * along[:, None]) * scale[:, None]
    place = (token % context)[:, None] * half + pair[None, :]
    cos = tl.load(cosine + place, mask=inside, other=0.0)
    sin = tl.load(sine + place, mask=inside, other=0.0)
    both = tl.join(first * cos + second * sin, second * cos - first * sin)
    column = tl.arange(0, 2 * pairs)
    out = token.to(tl.int64) * (3 * n_heads * width) + offset + head * width
    inside = exists[:, None] & (column < width)[None, :]
    out = gradient_qkv + out[:, None] + column[None, :]
    tl.store(out, tl.reshape(both, (rows_each, 2 * pairs)), mask=inside)


@triton.jit
def _copy_heads(
    taken,
    given,
    n_rows,
    context,
    taken_sequence,
    taken_position,
    taken_head,
    given_position,
    offset,
    n_heads: tl.constexpr,
    width: tl.constexpr,
    columns: tl.constexpr,
    rows_each: tl.constexpr,
):
    """Heads from any layout to one of `given_position` numbers a token, `offset` into it."""
    row = tl.program_id(0) * rows_each + tl.arange(0, rows_each)
    token = row // n_heads
    head = row % n_heads
    column = tl.arange(0, columns)
    inside = (row < n_rows)[:, None] & (column < width)[None, :]
    start = (token // context).to(tl.int64) * taken_sequence
    start += (token % context).to(tl.int64) * taken_position + head * taken_head
    x = tl.load(taken + start[:, None] + column[None, :], mask=inside)
    out = token.to(tl.int64) * given_position + offset + head * width
    tl.store(given + out[:, None] + column[None, :], x, mask=inside)


@triton.jit
def _losses(
    logits,
    targets,
    losses,
    sums,
    n_rows,
    n_words: tl.constexpr,
    rows_each: tl.constexpr,
    words_each: tl.constexpr,
):
    """Loss of each row and the log of its softmax's sum; a target below 0 has no loss."""
    row = tl.program_id(0) * rows_each + tl.arange(0, rows_each)
    exists = row < n_rows
    row = tl.minimum(row, n_rows - 1)
    start = row.to(tl.int64) * n_words
    highest = tl.full((rows_each,), float("-inf"), tl.float32)
    total = tl.zeros((rows_each,), tl.float32)
    for first in range(0, n_words, words_each):
        word = first + tl.arange(0, words_each)
        x = tl.load(
            logits + start[:, None] + word[None, :],
            mask=(word < n_words)[None, :],
            other=float("-inf"),
        ).to(tl.float32)
        now = tl.maximum(highest, tl.max(x, 1))
        total = total * tl.exp(highest - now) + tl.sum(tl.exp(x - now[:, None]), 1)
        highest = now
    log_sum = highest + tl.log(total)
    target = tl.load(targets + row)
    own = tl.load(logits + start + tl.maximum(target, 0)).to(tl.float32)
    tl.store(losses + row, tl.where(target >= 0, log_sum - own, 0.0), mask=exists)
    tl.store(sums + row, log_sum, mask=exists)


@triton.jit
def _losses_back(
    logits,
    targets,
    sums,
    of_loss,
    of_sum,
    gradient,
    n_rows,
    n_words: tl.constexpr,
    rows_each: tl.constexpr,
    words_each: tl.constexpr,
):
    """Gradient of the logits: softmax times both gradients, less that of the loss at the target."""
    row = tl.program_id(0) * rows_each + tl.arange(0, rows_each)
    word = tl.program_id(1) * words_each + tl.arange(0, words_each)
    exists = row < n_rows
    inside = exists[:, None] & (word < n_words)[None, :]
    at = row.to(tl.int64)[:, None] * n_words + word[None, :]
    target = tl.load(targets + row, mask=exists, other=-1)
    loss = tl.load(of_loss + row, mask=exists & (target >= 0), other=0.0)
    log_sum = tl.load(of_sum + row, mask=exists, other=0.0)
    x = tl.load(logits + at, mask=inside, other=0.0).to(tl.float32)
    share = tl.exp(x - tl.load(sums + row, mask=exists, other=0.0)[:, None])
    change = share * (loss + log_sum)[:, None]
    change -= tl.where(word[None, :] == target[:, None], loss[:, None], 0.0)
    tl.store(gradient + at, change, mask=inside)


@triton.jit
def _sum_by_key(
    taken,
    keys,
    order,
    given,
    n_rows,
    width: tl.constexpr,
    columns: tl.constexpr,
    at_once: tl.constexpr,
):
    """Sums of the rows of equal keys, each in the order of the rows: nothing is added by two programs."""
    first = tl.program_id(0)
    key = tl.load(keys + first)
    before = tl.load(keys + first - 1, mask=first > 0, other=-1)
    if key != before:
        column = tl.program_id(1) * columns + tl.arange(0, columns)
        inside = (column < width)[None, :]
        total = tl.zeros((columns,), tl.float32)
        n_same = at_once
        while n_same == at_once:
            at = first + tl.arange(0, at_once)
            exists = at < n_rows
            same = exists & (tl.load(keys + at, mask=exists, other=-1) == key)
            row = tl.load(order + at, mask=same, other=0).to(tl.int64) * width
            x = tl.load(
                taken + row[:, None] + column[None, :],
                mask=same[:, None] & inside,
                other=0.0,
            )
            total += tl.sum(x.to(tl.float32), 0)
            n_same = tl.sum(same.to(tl.int32), 0)
            first += at_once
        place = given + key.to(tl.int64) * width + column
        tl.store(place, total, mask=column < width)


@triton.jit
def _copy_rows(
    taken,
    given,
    n_columns,
    taken_row,
    given_row,
    add: tl.constexpr,
    numbers: tl.constexpr,
):
    row = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * numbers + tl.arange(0, numbers)
    inside = column < n_columns
    x = tl.load(taken + row * taken_row + column, mask=inside).to(tl.float32)
    place = given + row * given_row + column
    if add:
        x += tl.load(place, mask=inside).to(tl.float32)
    tl.store(place, x, mask=inside)


def turn_heads(
    split: torch.Tensor,
    turn: tuple[torch.Tensor, torch.Tensor],
    eps: float | None,
    made: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    scales: torch.Tensor,
) -> None:
    """Fill `made`, queries, keys and values (N, T, H, K) each, and `scales` (2, N, T, H) from `split` (N, T, 3, H, K),
    whose rows are dense; `eps` None: nothing is normed.
    """
    n_heads, width = split.shape[3:]
    for which in (0, 1):
        n_rows = made[which].numel() // width
        _turn_heads[(triton.cdiv(n_rows, HEAD_ROWS),)](
            split,
            *turn,
            made[which],
            scales[which],
            n_rows,
            which * n_heads * width,
            split.shape[1],
            n_heads=n_heads,
            width=width,
            pairs=triton.next_power_of_2(width // 2),
            eps=eps or 0.0,
            normed=eps is not None,
            rows_each=HEAD_ROWS,
        )
    copy_heads(split[:, :, 2], made[2], offset=0)


def turn_back(
    gradients: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    made: tuple[torch.Tensor, torch.Tensor],
    scales: torch.Tensor,
    turn: tuple[torch.Tensor, torch.Tensor],
    normed: bool,
    of_split: torch.Tensor,
) -> None:
    """Fill `of_split` (N, T, 3, H, K) from the gradients of queries, keys and values (N, T, H, K), of any layout."""
    context, _, n_heads, width = of_split.shape[1:]
    for which, of in enumerate(made):
        given = _dense_rows(gradients[which])
        n_rows = of.numel() // width
        _turn_back[(triton.cdiv(n_rows, HEAD_ROWS),)](
            given,
            of,
            *turn,
            scales[which],
            of_split,
            n_rows,
            which * n_heads * width,
            context,
            *given.stride()[:3],
            n_heads=n_heads,
            width=width,
            pairs=triton.next_power_of_2(width // 2),
            normed=normed,
            rows_each=HEAD_ROWS,
        )
    copy_heads(_dense_rows(gradients[2]), of_split, offset=2 * n_heads * width)


def _dense_rows(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def copy_heads(taken: torch.Tensor, given: torch.Tensor, offset: int) -> None:
    """Heads (N, T, H, K) of any layout with dense rows, `offset` numbers into each token of `given`, which is dense."""
    n_sequences, context, n_heads, width = taken.shape
    n_rows = n_sequences * context * n_heads
    _copy_heads[(triton.cdiv(n_rows, HEAD_ROWS),)](
        taken,
        given,
        n_rows,
        context,
        *taken.stride()[:3],
        given.stride(1),
        offset,
        n_heads=n_heads,
        width=width,
        columns=triton.next_power_of_2(width),
        rows_each=HEAD_ROWS,
    )


def losses(
    logits: torch.Tensor,
    targets: torch.Tensor,
    made: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """Fill losses and log-sums (M,) of dense logits (M, V) and targets (M,)."""
    n_rows, n_words = logits.shape
    words, rows = _tile(n_words)
    _losses[(triton.cdiv(n_rows, rows),)](
        logits,
        targets,
        *made,
        n_rows,
        n_words=n_words,
        rows_each=rows,
        words_each=words,
        num_warps=8,
    )


def losses_back(
    of_loss: torch.Tensor,
    of_sum: torch.Tensor,
    logits: torch.Tensor,
    targets: torch.Tensor,
    sums: torch.Tensor,
    of_logits: torch.Tensor,
) -> None:
    """Fill the gradient of the logits (M, V); all that is given is dense."""
    n_rows, n_words = logits.shape
    words, rows = _tile(n_words)
    _losses_back[(triton.cdiv(n_rows, rows), triton.cdiv(n_words, words))](
        logits,
        targets,
        sums,
        of_loss,
        of_sum,
        of_logits,
        n_rows,
        n_words=n_words,
        rows_each=rows,
        words_each=words,
        num_warps=8,
    )


def _tile(n_words: int) -> tuple[int, int]:
    """Words and rows of a program."""
    words = min(LOSS_ELEMENTS, triton.next_power_of_2(n_words))
    return words, LOSS_ELEMENTS // words


def sum_by_key(
    taken: torch.Tensor, keys: torch.Tensor, order: torch.Tensor, given: torch.Tensor
) -> None:
    """Fill the rows of `given` (K, D) that have keys with sums of rows of `taken` (M, D): `keys` (M,) is sorted, and
    `order` says which row each was.
    """
    n_rows, width = taken.shape
    columns = min(SUMMED, triton.next_power_of_2(width))
    _sum_by_key[(n_rows, triton.cdiv(width, columns))](
        taken,
        keys,
        order,
        given,
        n_rows,
        width=width,
        columns=columns,
        at_once=8,
    )


def copy_rows(taken: torch.Tensor, given: torch.Tensor, add: bool = False) -> None:
    """Write or add (R, n) to (R, n) of any precision; of both, each row is dense."""
    n_rows, n_columns = given.shape
    _copy_rows[(triton.cdiv(n_columns, COPIED), n_rows)](
        taken,
        given,
        n_columns,
        taken.stride(0),
        given.stride(0),
        add=add,
        numbers=COPIED,
        num_warps=8,
    )
