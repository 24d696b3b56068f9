"""What training uses of a machine: a sample every ten seconds, kept until MLflow has it.

Proxies train in stacks, many in a process, so the load is that of a sweep and of no single run. It decides nothing:
a sample that cannot be taken or written is left out.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.foundation import artefacts

SAMPLE_SECONDS = 10.0  # cited: MLflow samples as often
MEGABYTE = 1e6

Sample = dict[str, float]  # `time_s` since 1970, and the values by MLflow's names


def load_file(stage: str) -> Path:
    """The samples of a stage that trains, a JSON object a line."""
    return Path(artefacts.MACHINE_LOAD) / f"{stage}.jsonl"


@contextmanager
def machine_load_noted(stage: str, every_s: float = SAMPLE_SECONDS) -> Iterator[None]:
    """Append a sample every `every_s` seconds and one at the end; none without psutil, as on a bare GPU machine."""
    try:
        import psutil
    except ModuleNotFoundError:
        yield
        return
    ended = threading.Event()
    psutil.cpu_percent()  # the first call only starts the count

    def note() -> None:
        last = False
        while not last:
            last = ended.wait(every_s)
            with suppress(Exception):
                _append(load_file(stage), sampled())

    thread = threading.Thread(target=note, name="machine load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sampled() -> Sample:
    """Per cent of all cores since the last sample, megabytes of memory in use, and both of every GPU."""
    import psutil

    memory = psutil.virtual_memory()
    return {
        "time_s": time.time(),
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / MEGABYTE,
        "system/system_memory_usage_percentage": memory.percent,
        **_of_gpus(),
    }


def _of_gpus() -> Sample:
    """Of every NVIDIA GPU of the machine; nothing where there is none or NVIDIA's library is not installed."""
    values: Sample = {}
    with suppress(ModuleNotFoundError):
        import pynvml

        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            for index in range(pynvml.nvmlDeviceGetCount()):
                card, name = (
                    pynvml.nvmlDeviceGetHandleByIndex(index),
                    f"system/gpu_{index}",
                )
                used = pynvml.nvmlDeviceGetMemoryInfo(card).used
                values[f"{name}_memory_usage_megabytes"] = used / MEGABYTE
                busy = pynvml.nvmlDeviceGetUtilizationRates(card).gpu
                values[f"{name}_utilization_percentage"] = float(busy)
    return values


def _append(file: Path, sample: Sample) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(sample) + "\n")


def samples_of(stage: str) -> list[Sample]:
    """In order; a line that was cut by a kill is left out."""
    found = []
    with suppress(OSError):
        for line in load_file(stage).read_text("utf-8").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found
