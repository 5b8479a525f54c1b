"""Makes the fixtures: `python -m tools.make_fixtures [FOLDER]`. The same bytes on every run.

Each fixture that is made here is replaced as a whole; other folders are left alone.
"""

import shutil
import sys
from pathlib import Path

from tools import (
    fixture_batched,
    fixture_compact,
    fixture_constellation1,
    fixture_crea,
    fixture_default,
    fixture_realtracs,
    fixture_spark_replication,
    fixture_urls,
)

STORIES = (
    *(fixture_crea, fixture_compact, fixture_default, fixture_batched, fixture_urls),
    *(fixture_realtracs, fixture_constellation1, fixture_spark_replication),
)


def make_fixtures(root: Path) -> list[Path]:
    """Write every fixture under `root`; returns their folders."""
    folders = [root / story.STYLE.name for story in STORIES]
    for story, folder in zip(STORIES, folders, strict=True):
        if folder.exists():
            shutil.rmtree(folder)
        story.tell(root)
    return folders


if __name__ == "__main__":
    for made in make_fixtures(Path(*sys.argv[1:2] or ["fixtures"])):
        print(f"{made}: {sum(1 for _ in made.glob('*/exchanges.toml'))} steps")
