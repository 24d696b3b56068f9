"""What the trials before a sweep train: runs whose losses or gradients alone are wanted, of which no file is kept."""

from typing import Any

from stages.foundation.errors import RefusedError
from stages.proxy.network.device import choose_device
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.specs.stack import stacks
from stages.proxy.training.noise_scale import gradient_noise_scale
from stages.proxy.workforce.gpus import gpus_held, train_on_gpus
from stages.proxy.workforce.workers import run_groups
from stages.sweeping.machine_share import jobs
from stages.sweeping.views import proxy_data


def losses_of(specs: list[RunSpec], data: Any, device: str) -> dict[float, float]:
    """Mean held-out loss over domains of each spec's last budget by its learning rate; infinite
    where it diverged. data: sweeping.views.Views.
    """
    place, _, _ = choose_device(device)
    losses = dict.fromkeys((spec.lr for spec in specs), float("inf"))

    def keep(result: RunResult) -> None:
        if not (last := result.budgets[-1]).diverged:
            losses[result.spec.lr] = sum(
                loss.loss_nats for loss in last.held_out.values()
            ) / len(last.held_out)

    groups, given = stacks(specs, 2), proxy_data(data)
    with gpus_held(specs, place.type, most=len(groups)) as cards:
        failures = (
            train_on_gpus(
                groups, given, on_result=keep, device=device, cards=cards.names
            )
            if place.type == "cuda"
            else run_groups(
                groups, given, n_workers=jobs(), on_result=keep, device=device
            )
        )
    if failures:
        raise RefusedError(f"the trial of learning rates failed: {failures[0].message}")
    return losses


def noise_of(spec: RunSpec, data: Any, device: str) -> float:
    """Gradient noise scale in tokens, halfway to the first decay. data: sweeping.views.Views."""
    n_steps = max(1, spec.segments[0].n_steps // 2)
    place = choose_device(device)[0].type
    with gpus_held([spec], place):
        return gradient_noise_scale(
            spec, proxy_data(data), n_steps * spec.batch_tokens, device=place
        )
