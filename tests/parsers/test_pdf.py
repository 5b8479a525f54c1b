import pytest

from parsers.pdf import PdfProbe
from parsers.records import ImageFacts

WHOLE = b"%PDF-1.7\n" + b"x" * 3000 + b"\nstartxref\n0\n%%EOF\n"


def probe(document: bytes, size: int) -> ImageFacts | None:
    one = PdfProbe()
    for at in range(0, len(document), size):
        one.receive_data(memoryview(document)[at : at + size])
    return one.result()


@pytest.mark.parametrize("size", [1, 3, 4, 5, 6, 1023, 1024, 1025, 10_000])
def test_a_whole_pdf_is_known_in_any_chunks(size: int) -> None:
    assert probe(WHOLE, size) == ImageFacts("application/pdf", None, None, complete=True)
    assert probe(WHOLE + b"\0" * 900, size) == ImageFacts("application/pdf", None, None, complete=True)


@pytest.mark.parametrize("cut", [5, 100, len(WHOLE) - 2])
def test_a_cut_pdf_is_not_complete(cut: int) -> None:
    assert probe(WHOLE[:cut], 7) == ImageFacts("application/pdf", None, None, complete=False)


@pytest.mark.parametrize(
    "document", [b"", b"%PD", b"%PDF", b"<html>%PDF-1.7 %%EOF", b"\xff\xd8\xff\xe0%%EOF"]
)
def test_anything_else_is_no_pdf(document: bytes) -> None:
    assert probe(document, 3) is None
