"""Ask a Prefect server by plain HTTP, each time with a deadline; its own client waits for minutes."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from typing import Any

from stages.foundation.processes.deadlines import within

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ask(url: str, body: Any = None, *, seconds: float) -> Any:
    """The JSON that a GET gives or, with a body, a POST. Raises OSError, or ValueError for what is no JSON."""
    return within(seconds, _ask, url, body, seconds)


def fault(url: str, *, seconds: float) -> str:
    """Why the server behind this API address cannot be used; empty where it answers."""
    try:
        ask(f"{url}/health", seconds=seconds)
    except urllib.error.HTTPError as error:
        # refused or not found is an answer too: Prefect Cloud has no such page
        return f"answers {error.code}" if error.code >= 500 else ""
    except TimeoutError:
        return f"does not answer within {seconds:g} s"
    except OSError as error:
        reason = getattr(error, "reason", error)
        return f"does not answer ({reason})"
    except ValueError:
        return ""
    return ""


def _ask(url: str, body: Any, seconds: float) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **_authorization()}
    request = urllib.request.Request(url, data=data, headers=headers)
    # a proxy of this machine's network knows nothing of its loopback address
    near = urllib.parse.urlsplit(url).hostname in LOOPBACK
    proxies = urllib.request.ProxyHandler({}) if near else urllib.request.ProxyHandler()
    opener = urllib.request.build_opener(proxies)
    try:
        with opener.open(request, timeout=seconds) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise


def _authorization() -> dict[str, str]:
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}
