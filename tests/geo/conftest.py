"""Generated examples are the same in every run and leave no file behind."""

import os

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

settings.load_profile("ci")
# Its caches would go to the working directory; where they cannot be written it does without.
set_hypothesis_home_dir(os.devnull)
