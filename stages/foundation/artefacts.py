"""Where every artefact lies: each path under data/ and .assay/, named once.

A stage's outputs are what later stages take as inputs, by these names. Paths are relative to the
root of the project; a trailing comment says what the file or folder holds.
"""

# ingest
INGEST = "data/ingest"  # all that the stage writes
POOLS = "data/ingest/pools"  # documents to choose from, a folder a pool
INGESTED_HELD_OUT = "data/ingest/heldout"  # documents to judge on, a file a domain
REFERENCE = "data/ingest/reference.parquet"  # documents that teach what quality is
INGEST_DROPPED = (
    "data/ingest/dropped.parquet"  # what was read and left out, with reasons
)
REMOVED = "data/removed.jsonl"  # what `assay remove` was given, a line an entry
MANIFEST = "data/ingest/manifest.json"  # sources, counts, licences, content hashes
INGEST_METRICS = "data/metrics/ingest.json"
WHEEL_CACHE = "data/cache/wheels"  # packages whose text and images the demo reads

# dedup
CLUSTERS = "data/dedup/clusters.parquet"  # which documents are copies of which
LINE_COPIES = "data/dedup/lines.parquet"  # lines that repeat over documents
DEDUP_METRICS = "data/metrics/dedup.json"

# pack
PACKED_POOLS = "data/pack/pools"  # tokens and index of all pools
PACKED_POOLS_META = "data/pack/pools/meta.json"
PACKED_POOLS_INDEX = "data/pack/pools/index.parquet"
PACKED_HELD_OUT = "data/pack/heldout"  # tokens and index, a folder a domain
TOKENIZER = "data/pack/tokenizer.json"
SET_ASIDE = "data/pack/set_aside.parquet"  # documents of the pool kept from training
PACK_METRICS = "data/metrics/pack.json"

# score
SCORES = "data/score/scores.parquet"  # a row a document: quality, difficulty, rules
RULE_COUNTS = "data/score/rules.csv"
CALIBRATION = "data/score/calibration.csv"  # of the quality classifier
SCORE_METRICS = "data/metrics/score.json"
SCORE_WORK = ".assay/score"  # ranges of the pool while the stage runs

# arms
ARMS = "data/arms/arms.json"  # sizes, hashes, questions and controls
TOPICS = "data/arms/topics.parquet"  # question, id, cluster: of mixtures over clusters
VIEWS = "data/arms/views.parquet"  # (arm, draw, row, weight, tier)
LEDGER = "data/arms/ledger.csv"  # tokens that reach each step, and why others do not
ARMS_METRICS = "data/metrics/arms.json"

# sweep
RUN_FILES = "data/sweep/runs"  # a JSON file a finished trunk, kept over reruns
RUNS = "data/sweep/runs.parquet"  # the runs table
HELD_OUT_LOSSES = "data/sweep/heldout_losses.parquet"  # losses by held-out document
TRAINING_CURVES = "data/sweep/curves.parquet"
SWEEP_METRICS = "data/metrics/sweep.json"
CHECKS = ".assay/checks"  # verdicts of commands on documents
CHECKPOINTS = ".assay/checkpoints"  # of trunks in training
MACHINE_LOAD = ".assay/load"  # what training used of the machine, a file a stage
TRUNKS = ".assay/trunks"  # weights that branches go on from, safetensors

# fit, decide
FITS = "data/fit"  # rows, record and refits of a question
FIT_METRICS = "data/metrics/fit.json"
CURVES = "data/curves"  # bands along compute, a file a question
DECISIONS = "data/decisions"  # a record a question
DECIDE_METRICS = "data/metrics/decide.json"

# verify
VERIFICATIONS = "data/verify"  # a record a question: predicted against measured
VERIFY_RUN_FILES = "data/verify_runs/runs"  # as RUN_FILES, of trunks carried on
VERIFY_RUNS = "data/verify_runs/runs.parquet"  # a runs table that no law is fitted to
TRACK_RECORD = "data/track_record.jsonl"  # a line a verified claim, over all decisions
VERIFY_METRICS = "data/metrics/verify.json"

# report
REPORT = "data/report"  # the page and its figures
PAGE = "data/report/index.html"
PLOTS = "data/plots"  # tables behind `dvc plots`

EXPORTS = "data/exports.jsonl"  # a line an export: where it lies, and of what

HASHES = "data/hashes"  # sizes and hashes of what each stage made, a file a stage

# every command
WORK = ".assay"  # what may be deleted at any time; git ignores it
LOGS = ".assay/logs"  # one file a stage; the flow relays its lines


def fitted_rows(question: str) -> str:
    """The rows that the laws of a question were fitted to (parquet)."""
    return f"{FITS}/{question}.parquet"


def fit_record(question: str) -> str:
    """Laws, ranking and held-out check of a question (JSON)."""
    return f"{FITS}/{question}.json"


def fit_refits(question: str) -> str:
    """The refits of the chosen law and the runner-up (JSON)."""
    return f"{FITS}/{question}-refits.json"


def curves(question: str) -> str:
    """Loss and difference of every arm along compute, with bands (parquet)."""
    return f"{CURVES}/{question}.parquet"


def decision(question: str) -> str:
    """The decision record of a question (JSON)."""
    return f"{DECISIONS}/{question}.json"


def verification(question: str) -> str:
    """What was trained after the decision of a question, against what it predicted (JSON)."""
    return f"{VERIFICATIONS}/{question}.json"


def plot_table(name: str) -> str:
    """A table behind `dvc plots`, one row a point (CSV)."""
    return f"{PLOTS}/{name}.csv"


def hashes(stage: str) -> str:
    """Sizes and hashes of what a stage made (JSON)."""
    return f"{HASHES}/{stage}.json"


def log_file(stage: str) -> str:
    """What a stage said in its last run."""
    return f"{LOGS}/{stage}.log"
