"""Ports of the loopback address that another program listens on are named before anything starts."""

import socket
from collections.abc import Mapping
from contextlib import suppress

import psutil

from stages.foundation.errors import InputError

HOST = "127.0.0.1"
HIGHEST = 65_535


def check_ports(wanted: Mapping[str, int]) -> None:
    """option -> port. InputError, one line, where any of them is taken or two are the same."""
    if len(set(wanted.values())) < len(wanted):
        raise InputError(
            f"{', '.join(f'{option} {port}' for option, port in wanted.items())}: two"
            " pages cannot share a port; give each its own"
        )
    taken = {option: port for option, port in wanted.items() if is_taken(port)}
    if not taken:
        return
    said = [f"{HOST}:{port} is taken{holder(port)}" for port in taken.values()]
    free = next_free(max(wanted.values()) + 1, len(taken))
    cure = " ".join(
        f"{option} {port}" for option, port in zip(taken, free, strict=True)
    )
    raise InputError(f"{', '.join(said)}; end that program, or `assay ui {cure}`")


def is_taken(port: int) -> bool:
    """Whether a server cannot listen there, as one that has just ended does not count."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return True
    return False


def next_free(start: int, count: int) -> list[int]:
    """So many free ports from this one on."""
    found: list[int] = []
    for port in range(start, HIGHEST + 1):
        if len(found) == count:
            break
        if not is_taken(port):
            found.append(port)
    return found or [0]


def holder(port: int) -> str:
    """` by NAME (process N)`; empty where the system does not say."""
    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            listens = one.status == psutil.CONN_LISTEN and one.laddr.port == port
            if listens and one.pid:
                return f" by {psutil.Process(one.pid).name()} (process {one.pid})"
    return ""
