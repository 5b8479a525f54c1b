"""python -m benchmarks: every figure beside its peer's, as a table or as one JSON document."""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from os import cpu_count
from typing import Annotated

import typer
from rich.table import Table

from benchmarks import ingest, memory, multipart, photo, searches, unchanged
from benchmarks.figures import Effort, Row
from service.terminal import new_console

BENCHMARKS: dict[str, Callable[[Effort], list[Row]]] = {
    "multipart": multipart.run,
    "memory": memory.run,
    "compact": searches.run_compact,
    "standard-xml": searches.run_standard_xml,
    "ingest": ingest.run,
    "unchanged": unchanged.run,
    "photo": photo.run,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def benchmarks(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)}; all of them if none is given.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 5,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small inputs: to see that it works.")] = False,
) -> None:
    """Measure. Exit codes: 0 whatever the figures say, 2 a name is wrong."""
    chosen = names or list(BENCHMARKS)
    if unknown := sorted(set(chosen) - set(BENCHMARKS)):
        raise typer.BadParameter(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    console, rows = new_console(stderr=as_json), list[Row]()
    for name in chosen:
        with console.status(name):
            rows += BENCHMARKS[name](Effort(runs, quick))
    if as_json:
        machine = {"cores": cpu_count(), "python": platform.python_version()}
        print(json.dumps({**machine, "runs": runs, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        console.print(_table(rows))


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("what", "ours", "peer", "its", "ratio", "must reach", "ok"):
        right = head in {"ours", "its", "ratio"}
        table.add_column(head, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        ok = {None: "", True: "[green]yes[/]", False: "[red]NO[/]"}[row.ok]
        ours, theirs = (f"{_number(value)} {row.unit}" for value in (row.ours, row.theirs))
        table.add_row(row.what, ours, row.peer, theirs, f"{row.ratio:.2f}", row.must_reach or "", ok)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    app()
