"""Train one group and turn whatever happens into an outcome that can be sent."""

import gc
import traceback
from collections.abc import Callable, Sequence

import torch

from stages.proxy.specs.outcome import News, Outcome, first_line, is_out_of_memory
from stages.proxy.specs.spec import RunSpec
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import train_group


def outcome_of(
    group: Sequence[RunSpec],
    data: ProxyData,
    options: dict,
    send: Callable[[News], None],
) -> Outcome:
    """Train a group; `send` gets News about once a second. Options go to `train_group`."""
    try:
        return Outcome(
            train_group(
                group, data, on_progress=lambda *news: send(News(*news)), **options
            )
        )
    except Exception as error:
        failed = failure(error)
    gc.collect()  # outside of the handler, whose traceback holds the tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return failed


def failure(error: Exception) -> Outcome:
    return Outcome(
        message=first_line(error),
        detail="".join(traceback.format_exception(error)),
        out_of_memory=is_out_of_memory(error),
    )
