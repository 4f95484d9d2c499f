"""One gateway and one fake backend for the whole run; a marker of its own for every test; nothing leaves the machine."""

import ipaddress
import os
import sys
import uuid

import pytest
from fortress import Fake, Fortress

# A proxy of the machine must not come between a client and loopback.
for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(variable, None)

# Clients that would call home, or load lists from elsewhere, when they are imported.
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",
    LANGSMITH_TRACING="false",
    LANGCHAIN_TRACING_V2="false",
    DO_NOT_TRACK="1",
)
elsewhere = []


def watch(event, arguments):
    """Refuses whatever would leave the machine, and keeps it: a client may swallow the refusal."""
    if event == "socket.connect":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments
    else:
        return
    if not isinstance(address, tuple):
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    try:
        loopback = host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        elsewhere.append((event, host))
        raise PermissionError(f"a test must not reach {host}")


sys.addaudithook(watch)


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine():
    yield
    assert elsewhere == []


@pytest.fixture(scope="session")
def fake():
    fake = Fake("--chunks", "5")
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def fortress(fake):
    fortress = Fortress(fake.url)
    yield fortress
    fortress.stop()


@pytest.fixture
def held(fake):
    """The fake holds every frame until the test releases it."""
    fake.hold()
    yield fake
    fake.open()


@pytest.fixture
def marker():
    """A word that finds this test's requests among all."""
    return f"marker-{uuid.uuid4().hex}"
