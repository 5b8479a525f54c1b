"""The profile of the long run: `pytest tests/fuzz --hypothesis-profile=fuzz`."""

from hypothesis import settings

from tests.fuzz.budget import LONG_RUN

settings.register_profile(LONG_RUN, print_blob=True)
