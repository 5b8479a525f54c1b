"""What comes of the scenario when nobody disturbs it: found out once, by running it."""

from typing import Any

import pytest

from service.stores.catalog import migrate
from service.stores.embedded import EmbeddedStore
from tests.reliability.scenario import change, load, scenario
from tests.stores.support import bucket_of

FORM = "STANDARD-XML"
"""What the tests of the suite run; `make kills` takes the other one, too."""


class Undisturbed:
    """By form: what is seen after the first load, after the change, and the steps of both."""

    def __init__(self, s3: EmbeddedStore, folders: pytest.TempPathFactory) -> None:
        self._s3, self._folders = s3, folders
        self._found: dict[str, dict[str, Any]] = {}

    def after(self, phase: str, form: str) -> Any:
        """What is seen after `load` or `change`."""
        if form not in self._found:
            self._found[form] = self._run(form)
        return self._found[form][phase]

    def _run(self, form: str) -> dict[str, Any]:
        folder = self._folders.mktemp("undisturbed")
        url = f"sqlite:///{folder / 'catalog.db'}"
        migrate(url)
        with bucket_of(self._s3) as store, scenario(self._s3, store, folder, url, form) as made:
            load(made.mls)
            first = made.settle()
            change(made.mls)
            return {"load": first, "change": made.settle()}
