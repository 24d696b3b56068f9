"""`assay ui`: the report, MLflow and Prefect until a signal; all of them end together."""

import os
import sys
import time
import webbrowser

from flows import environment
from flows.pages.ports import check_ports
from flows.pages.servers import Page, mlflow_page, prefect_page, report_page
from flows.prefect_server.leftovers import crash_leftovers
from flows.prefect_server.own_server import Server, named_address
from flows.prefect_server.tied import START_SECONDS, stop
from flows.run_lease import run_lease
from stages.foundation.errors import InputError, RefusedError
from stages.runs.mlflow_store.links import is_served, kept_links

LOOK_SECONDS = 0.3
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")  # of a Linux desktop


def start_pages(
    report_port: int, mlflow_port: int, prefect_port: int, browser: bool | None
) -> None:
    """Start what nobody else serves, print the links, and open them where there is a screen.

    InputError where a port is taken, before anything starts; RefusedError where a server ends by itself.
    """
    environment.prepare()
    environment.make_home()
    wanted = {"--report-port": report_port}
    if not is_served():
        wanted["--mlflow-port"] = mlflow_port
    if not named_address():
        wanted["--prefect-port"] = prefect_port
    check_ports(wanted)
    pages: list[Page] = []
    try:
        for start, port in (
            (report_page, report_port),
            (mlflow_page, mlflow_port),
            (prefect_page, prefect_port),
        ):
            pages.append(start(port))
        _until_up(pages)
        _crash_leftovers(pages[2])
        print("stop with Ctrl-C", flush=True)
        if has_screen() if browser is None else browser:
            for page in pages:
                webbrowser.open(_first_look(page))
        while True:
            _refuse_dead(pages)
            time.sleep(LOOK_SECONDS)
    finally:
        stop([page.server for page in pages if page.server])
        for page in pages:
            page.end_rest()


def has_screen() -> bool:
    """Whether a browser can be shown; a text browser would take the terminal."""
    if not sys.stdout.isatty():
        return False
    return sys.platform != "linux" or any(map(os.environ.get, SCREENS))


def _until_up(pages: list[Page]) -> None:
    """Print each link as soon as it answers. RefusedError, with the name, where a server ends or is too slow."""
    deadline = time.monotonic() + START_SECONDS
    waiting = list(pages)
    while waiting:
        for page in [page for page in waiting if page.is_up()]:
            _say(page)
            waiting.remove(page)
        _refuse_dead(pages)
        if waiting and time.monotonic() > deadline:
            slow = waiting[0]
            raise RefusedError(
                f"{slow.name} does not answer at {slow.url} after {START_SECONDS} s;"
                f" see {slow.log}"
            )
        time.sleep(LOOK_SECONDS)


def _refuse_dead(pages: list[Page]) -> None:
    for page in pages:
        if how := page.death():
            raise RefusedError(
                f"{page.name}'s server has ended: {how}; the other pages end too, start"
                " `assay ui` again"
            )


def _crash_leftovers(prefect: Page) -> None:
    """Flows of processes that were killed no longer say Running; while a run is at work, all stay."""
    try:
        with run_lease():
            crash_leftovers(Server(f"{prefect.url}/api", prefect.server))
    except InputError:
        return


def _say(page: Page) -> None:
    print(f"{page.name:<8} {page.url}", flush=True)
    if page.name == "MLflow":
        for question, link in kept_links(page.url).items():
            print(f"  the runs of {question}: {link}", flush=True)


def _first_look(page: Page) -> str:
    """The runs of the first question in MLflow, whose own front page lists experiments."""
    links = list(kept_links(page.url).values()) if page.name == "MLflow" else []
    return links[0] if links else page.url
