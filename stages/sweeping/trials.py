"""Short trials before a sweep: learning rates at the base size, and the batch at which gradients
are half noise.

Each trial is a file beside the runs, named in the runs folder, with the hash of all that it rests
on; a trial that still holds is never run again. Trials use the largest view, since tuning must not
depend on the arm. Cost: a run at the base size each.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from stages.foundation.errors import RefusedError
from stages.foundation.files import content_hash
from stages.foundation.sealed import kept, write_sealed
from stages.proxy.specs.shape import whole_batches
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import RUNS
from stages.runs.trainer_version import code_hash
from stages.settings.hyperparameters import lr_sensitivity
from stages.sweeping.views import Views

log = logging.getLogger("assay")
RATES, NOISE = Path("base_width.json"), Path("gradient_noise.json")


def best_lr(specs: list[RunSpec], data: Views, device: str) -> float:
    """The learning rate of the spec with the least held-out loss; the specs differ in it alone.
    RefusedError where all diverged.
    """

    def tried() -> dict[str, Any]:
        from stages.sweeping.trial_runs import losses_of  # loads torch

        losses = losses_of(specs, data, device)
        finite = {lr: loss for lr, loss in losses.items() if np.isfinite(loss)}
        if not finite:
            raise RefusedError(
                "every learning rate of sweep.tuning.lrs diverged"
                f" ({', '.join(map(str, losses))}); lower them"
            )
        start = float(np.log(specs[0].shape.vocab_size))
        return {
            "best_lr": min(finite, key=lambda lr: finite[lr]),
            "losses": [[lr, loss] for lr, loss in losses.items()],
            "sensitivity_nats": lr_sensitivity(losses, start),
            "n_params": specs[0].shape.n_params,
        }

    found = _kept(RATES, specs, data=data, tried=tried)
    log.info(
        "sweep: lr %g is best of %d at %d parameters; a rate of the trial costs %.3f"
        " nats on average",
        found["best_lr"],
        len(found["losses"]),
        found["n_params"],
        found["sensitivity_nats"],
    )
    return float(found["best_lr"])


def critical_batch(spec: RunSpec, data: Views, device: str) -> int:
    """Whole sequences nearest to the gradient noise scale halfway to the first decay."""

    def tried() -> dict[str, Any]:
        from stages.sweeping.trial_runs import noise_of  # loads torch

        return {"critical_batch_tokens": noise_of(spec, data, device)}

    found = _kept(NOISE, [spec], data=data, tried=tried)["critical_batch_tokens"]
    batch = whole_batches(found, spec.context)
    log.info(
        "sweep: gradients are half noise at %.0f tokens a step; batch %d", found, batch
    )
    return batch


def largest_view(data: Views) -> str:
    """The view with the most tokens; the first by name of several."""
    return min(data.views, key=lambda name: (-data.views[name].n_tokens, name))


def _kept(name: Path, specs: list[RunSpec], data: Views, tried) -> dict[str, Any]:
    """What is on file for exactly these specs, data and code, else what is tried now."""
    key = content_hash(
        [[spec.to_dict() for spec in specs], data.data_hash(specs[0].arm), code_hash()]
    )
    file = RUNS / name
    if (known := kept(file)).get("key") == key:
        return known
    found = {"key": key} | tried()
    write_sealed(file, found)
    return found
