"""datatrove's documented pipelines: `python datatrove_run.py filters|minhash IN_FOLDER OUT_FOLDER`.

One task, one worker. Prints one JSON object with the documents that stay. Runs in datatrove's environment.
"""

import gzip
import json
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

what, source, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def execute(pipeline: list, name: str, tasks: int = 1) -> None:
    LocalPipelineExecutor(
        pipeline,
        tasks=tasks,
        workers=1,
        logging_dir=str(target / "logs" / name),
        skip_completed=False,
    ).run()


if __name__ == "__main__":
    if what == "filters":
        chain = [
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
        ]
        execute(
            [JsonlReader(source), *chain, JsonlWriter(str(target / "kept"))], "filters"
        )
    else:
        config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
        signatures, buckets, removed = (
            str(target / name) for name in ("signatures", "buckets", "removed")
        )
        execute(
            [
                JsonlReader(source),
                MinhashDedupSignature(output_folder=signatures, config=config),
            ],
            "1",
        )
        execute(
            [
                MinhashDedupBuckets(
                    input_folder=signatures, output_folder=buckets, config=config
                )
            ],
            "2",
            tasks=config.num_buckets,
        )
        execute(
            [
                MinhashDedupCluster(
                    input_folder=buckets, output_folder=removed, config=config
                )
            ],
            "3",
        )
        execute(
            [
                JsonlReader(source),
                MinhashDedupFilter(input_folder=removed),
                JsonlWriter(str(target / "kept")),
            ],
            "4",
        )
    print(
        json.dumps(
            {
                "kept": sum(
                    sum(1 for _ in gzip.open(file))
                    for file in (target / "kept").glob("*.gz")
                )
            }
        )
    )
