"""One process of a run on several devices, started by torchrun: `torchrun ... -m
stages.proxy.training.rank_main JOB`; not for people.
"""

import os
import pickle
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from stages.proxy.training.train import train_group


def main(job: Path) -> None:
    """Train the group of the job file; the first process writes the results where the job says."""
    specs, data, options, answer = pickle.loads(job.read_bytes())
    on_gpu = options["device"] != "cpu"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        results = train_group(specs, data, ranks=True, **options)
        if dist.get_rank() == 0:
            partial = answer.with_suffix(".partial")
            partial.write_bytes(pickle.dumps(results))
            partial.replace(answer)
        dist.barrier()
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        print(
            f"rank failed: {type(error).__name__}:"
            f" {(str(error).splitlines() or [''])[0]}",
            file=sys.stderr,
            flush=True,
        )
        raise
