"""Delimiter and columns of a COMPACT table: how the bytes of its rows become cells (Q66-Q71).

Rows of the very shape of COLUMNS are read many at a time; any other is looked at alone.
"""

import re
from collections.abc import Sequence

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
        self._run = self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        """A regular row, with a group for each cell that is wanted; in the order of the columns."""
        if self._delimiter in "<>" or not {*self._places} - {-1}:
            return None
        mark = re.escape(self._delimiter)
        cells = [f"([^{mark}]*+)" if n in self._places else f"[^{mark}]*+" for n in range(len(self.columns))]
        # The cell before the end tag is the one that may not run on into it.
        cells[-1] = cells[-1].replace(f"[^{mark}]", f"[^{mark}<]")
        return re.compile(f"<DATA>{mark * self._front}{mark.join(cells)}{mark * self._back}</DATA>")

    def read_run(self, rows: bytes) -> list[Row] | None:
        """The wanted cells of many `<DATA>...</DATA>`, if every one is regular; else None."""
        if self._run is None:
            return None
        text = decode(rows, self._encoding)
        found = self._run.findall(text)
        # As many `<` as the rows found have tags: nothing was passed over, nor taken for a cell.
        if text.count("<") != 2 * len(found):
            return None
        if self._run.groups == 1:
            found = [(cell,) for cell in found]
        everything = "".join(map("".join, found))
        if "&" in everything or not everything.isprintable():
            found = [tuple(map(_clean, cells)) for cells in found]
        chosen = self._arrange(found)
        return None if self._keyed and not all(row[0] and row[0].strip() for row in chosen) else chosen

    def _arrange(self, found: list[tuple[str, ...]]) -> list[Row]:
        """The groups of a pattern stand in the order of the columns, each once."""
        order = sorted({*self._places} - {-1})
        if list(self._places) == order:
            return list(found)
        ranks = [order.index(place) if place >= 0 else -1 for place in self._places]
        return [tuple([None if rank < 0 else cells[rank] for rank in ranks]) for cells in found]

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


def _clean(cell: str) -> str:
    return drop_controls(unescape(cell) if "&" in cell else cell)
