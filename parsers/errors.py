"""Every way in which an answer can fail to parse.

    ParseError
    |-- Malformed       the bytes are not what the protocol says; asking again may not help
    |-- Truncated       the bytes end too early; asking again may help
    `-- LimitExceeded   a bound of this parser was reached: hostile or broken peer

A parser raises nothing else, whatever it is fed.
"""


class ParseError(Exception):
    """An answer that cannot be understood; the text says what was wrong and where."""


class Malformed(ParseError):  # noqa: N818 - named for what happened, as the tree above draws it
    """The bytes break the grammar in a way that no known quirk explains."""


class Truncated(ParseError):  # noqa: N818 - see above
    """The answer ends before its own end mark. Nothing may be deleted on its evidence."""


class LimitExceeded(ParseError):  # noqa: N818 - see above
    """A stated limit (header bytes, parts, row length) was passed. The limit is named in the text."""
