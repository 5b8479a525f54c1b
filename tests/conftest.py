"""Tests run from the project's root, like every command."""

import os
from pathlib import Path

os.chdir(Path(__file__).parent.parent)
