"""python -m tools.make_feeds_page: docs/FEEDS.md, from tools/quirks.py and the names of the tests."""

import ast
import re
from pathlib import Path

from tools.quirks import QUIRKS

PAGE = Path("docs/FEEDS.md")

HEAD = """# Feeds

What RETS servers really send, what this daemon does with it, and the test that holds it to that. The
settings that are named are explained in [CONFIGURATION.md](CONFIGURATION.md). This page is made by
`python -m tools.make_feeds_page`; a test fails when it is stale, or when a quirk has no test.

For every photo that is asked for there is one outcome: *image*, *redirect*, *absent*, *denied*,
*retryable* or *unknown*. Only *absent*, from an answer that is complete, may delete; what is *unknown* is
logged with its evidence and tried again. `parsers/rets/objects.py` decides.
"""


def named_tests() -> dict[int, list[str]]:
    """`path::name` of every test that names a quirk, as in test_q09_... or test_q05_q06_..."""
    found: dict[int, list[str]] = {}
    for path in sorted(Path("tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in re.findall(r"(?<=_)q(\d+)(?=_|$)", node.name):
                    found.setdefault(int(number), []).append(f"{path}::{node.name}")
    return found


def page() -> str:
    """The whole page."""
    tests = named_tests()
    sections = [HEAD]
    for title, rows in QUIRKS.items():
        lines = [
            f"| Q{number} | {sends} | {does} | {_tests(tests.get(number, []))} |"
            for number, (sends, does) in rows.items()
        ]
        head = f"\n## {title}\n\n| id | servers send | this daemon | test |\n|---|---|---|---|\n"
        sections.append(head + "\n".join(lines) + "\n")
    return "".join(sections)


def _tests(names: list[str]) -> str:
    """One of the tests, linked to its file. Its name is searched for to find the others."""
    if not names:
        return ""
    path, _, name = min(names, key=lambda name: (name.count("_q"), name)).partition("::")
    return f"[{name}](../{path})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
