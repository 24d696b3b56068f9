"""Where a person sees the runs: MLflow's compare view of an experiment, on the server or by `assay ui`."""

import re
from pathlib import Path

from stages.foundation import artefacts
from stages.foundation.files import read_json, write_json
from stages.runs.mlflow_store.store import tracking_uri

PAGES = Path(artefacts.WORK) / "mlflow_pages.json"
USER = re.compile(r"(//)[^/@]*@")  # and password
# the pages of model training: by itself MLflow 3.17 shows those of agents, whatever kind an experiment says it is
CHARTS = "compareRunsMode=CHART&workflowType=machine_learning"
LOCAL = "http://127.0.0.1:5000"  # where `assay ui` shows MLflow


def compare_link(experiment: str) -> str:
    """The charts of all runs of an experiment (its number), axes to choose: `log10_flops` and the losses."""
    return f"{page_address()}/#/experiments/{experiment}/runs?{CHARTS}"


def page_address() -> str:
    """The server, without its password, or the address of `assay ui` for any other store."""
    if not is_served():
        return LOCAL
    return USER.sub(r"\1", tracking_uri()).rstrip("/")


def is_served() -> bool:
    """Whether the store has pages of its own."""
    return tracking_uri().startswith(("http://", "https://"))


def keep_links(links: dict[str, str]) -> None:
    """Question -> link, for the last lines of the command that sent the runs."""
    write_json(PAGES, links)


def forget_links() -> None:
    PAGES.unlink(missing_ok=True)


def kept_links(page: str = LOCAL) -> dict[str, str]:
    """What was kept; page: where `assay ui` shows MLflow now. Empty where nothing was sent."""
    if not PAGES.is_file():
        return {}
    links = read_json(PAGES).items()
    return {question: link.replace(LOCAL, page, 1) for question, link in links}


def spoken_links() -> str:
    """Lines to print, empty where nothing was sent."""
    first = "" if is_served() else "`assay ui`, then "
    return "\n".join(
        f"the runs of {question}: {first}{link}"
        for question, link in kept_links().items()
    )
