"""Generated examples are the same in every run and leave no file behind; a server to ask."""

import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from support import origin as origins

settings.load_profile("ci")
# Its caches would go to the working directory; where they cannot be written it does without.
set_hypothesis_home_dir(os.devnull)


@pytest.fixture
async def origin() -> AsyncIterator[origins.Origin]:
    async with origins.running() as running:
        yield running
