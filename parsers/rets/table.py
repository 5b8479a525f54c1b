"""Delimiter and columns of a COMPACT table: how the bytes of its rows become cells (Q66-Q71).

Rows of the very shape of COLUMNS are read many at a time; any other is looked at alone.
"""

import re
from collections.abc import Sequence
from itertools import repeat

from parsers.errors import Malformed
from parsers.rets.text import decode, drop_controls, unescape

Row = tuple[str | None, ...]
"""One cell for each wanted column; None where the table has no such column."""

# A row holds no elements: markup in it means that two rows have run into each other.
_MARKUP = re.compile(rb"<(?:!|/?(?:DATA|COLUMNS|RETS)\b)", re.IGNORECASE)


class Table:
    """Columns first, then rows.

    Delimiters at the edges of a row are no cells where COLUMNS has them too (Q69). With `keyed`,
    the first wanted cell must say something.
    """

    def __init__(self, wanted: Sequence[str] | None, encoding: str, *, keyed: bool) -> None:
        self.columns: tuple[str, ...] = ()
        self._keyed = keyed
        self._wanted = wanted
        self._encoding = encoding
        self._delimiter = "\t"  # Q66
        self._heading = b""
        self._front = self._back = 0
        self._places: tuple[int, ...] = ()
        self._chosen: list[int] = []
        self._rest = 0
        self._run: re.Pattern[str] | None = None

    def set_delimiter(self, value: str) -> None:
        """Hexadecimal, of any length (Q67, Q68). Raises Malformed for anything else."""
        try:
            self._delimiter = chr(int(value.strip(), 16))
            self._delimiter.encode(self._encoding)
        except (ValueError, OverflowError) as error:
            raise Malformed(f"the DELIMITER value {value!r} is no hexadecimal character") from error
        self.set_columns(self._heading)

    def set_columns(self, heading: bytes) -> None:
        """What stands in COLUMNS."""
        self._heading = heading
        text = decode(heading, self._encoding).strip("\r\n")
        names = text.split(self._delimiter) if text else []
        self._front = int(len(names) > 1 and not names[0])
        self._back = int(len(names) > 1 + self._front and not names[-1])
        self.columns = tuple(_clean(name).strip() for name in names[self._front : len(names) - self._back])
        places: dict[str, int] = {}
        for place, name in enumerate(self.columns):
            places.setdefault(name.lower(), place)
        wanted = self.columns if self._wanted is None else self._wanted
        self._places = tuple(places.get(name.lower(), -1) for name in wanted)
        self._chosen = sorted({*self._places} - {-1})
        # The delimiters behind the last wanted cell of a regular row.
        self._rest = len(self.columns) - 1 - max(self._places, default=0) + self._back
        self._run = self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        """A row with a group for each wanted cell, as far as the last of them, and one for the rest."""
        if self._delimiter in "<>" or not self._chosen:
            return None
        mark = re.escape(self._delimiter)
        cells = [
            f"([^{mark}<]*+)" if place in self._chosen else f"[^{mark}]*+"
            for place in range(self._chosen[-1] + 1)
        ]
        end = f"(?<={mark})" * self._back
        return re.compile(f"<DATA>{mark * self._front}{mark.join(cells)}([^<]*+){end}</DATA>")

    def read_run(self, rows: bytes) -> list[Row] | None:
        """The wanted cells of many `<DATA>...</DATA>`, if every one is regular; else None."""
        text = decode(rows, self._encoding) if self._run else ""
        found = self._run.findall(text) if self._run else []
        # As many `<` as the rows found have tags: nothing was passed over, nor taken for a cell.
        if not found or text.count("<") != 2 * len(found):
            return None
        # By columns: what is done to a whole column costs a tenth of what is done to its cells.
        *groups, rests = zip(*found, strict=True)
        if {*map(str.count, rests, repeat(self._delimiter))} != {self._rest}:
            return None
        columns = dict(zip(self._chosen, map(_clean_all, groups), strict=True))
        if self._keyed and not all(map(str.strip, columns.get(self._places[0], ("",)))):
            return None
        return list(zip(*(columns.get(place, repeat(None)) for place in self._places), strict=False))

    def read(self, row: bytes) -> Row:
        """The wanted cells of one row. Raises Malformed, with the reason, where it cannot be understood."""
        if not self.columns:
            raise Malformed("no COLUMNS came before it")
        if b"<" in row and _MARKUP.search(row):
            raise Malformed("another element stands inside it")
        cells = self._split(decode(row, self._encoding))
        chosen = tuple([None if place < 0 else _clean(cells[place]) for place in self._places])
        if self._keyed and not (chosen[0] and chosen[0].strip()):
            raise Malformed(f"it has no {self._wanted[0] if self._wanted else self.columns[0]}")
        return chosen

    def _split(self, row: str) -> list[str]:
        """As many cells as there are columns; empty ones are added where the row is short (Q70)."""
        cells = row.split(self._delimiter)
        width = len(self.columns)
        if len(cells) != self._front + width + self._back:
            cells = row.strip("\r\n").split(self._delimiter)
        if self._front and not cells[0].strip("\r\n"):
            del cells[0]
        if self._back and len(cells) > width and not cells[-1].strip("\r\n"):
            del cells[-1]
        if len(cells) > width:
            raise Malformed(f"{len(cells)} values for {width} columns")
        return cells + [""] * (width - len(cells))


def _clean_all(cells: Sequence[str]) -> Sequence[str]:
    everything = "".join(cells)
    return cells if "&" not in everything and everything.isprintable() else [_clean(cell) for cell in cells]


def _clean(cell: str) -> str:
    return drop_controls(unescape(cell) if "&" in cell else cell)
