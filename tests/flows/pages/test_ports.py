"""Taken ports are seen whoever holds them; a port that was just given up is free."""

import socket

import pytest

from flows.pages.ports import check_ports, is_taken, next_free
from stages.foundation.errors import InputError


def test_a_port_is_taken_while_somebody_listens_there():
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))  # on all addresses, the loopback one too
        holder.listen()
        port = holder.getsockname()[1]
        assert is_taken(port)
        [free] = next_free(port, 1)
        assert free > port and not is_taken(free)
    assert not is_taken(port)


def test_two_pages_on_one_port_are_refused():
    with pytest.raises(InputError, match=r"--a 7, --b 7: two pages cannot share"):
        check_ports({"--a": 7, "--b": 7})
