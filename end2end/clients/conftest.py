"""One gateway and one fake backend for the whole run; a marker of its own for every test."""

import os
import uuid

import pytest
from fortress import Fake, Fortress

# A proxy of the machine must not come between a client and loopback.
for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(variable, None)


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
