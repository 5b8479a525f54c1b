"""How the fixtures' servers write their bundles: each way was seen on a real server."""

from service.simulator.bundles import Framing

QUOTED = Framing(
    boundary="simple boundary",
    content_type='multipart/parallel; boundary="{boundary}"; charset=utf-8',
)
"""A boundary with a blank, in quotes, and a parameter behind it (Q1)."""

BARE = Framing(
    boundary="rets.part.0001",
    content_type="multipart/mixed;boundary={boundary};charset=US-ASCII",
    caption_name="Description",
    chunked=False,
)
"""No blank before the boundary, no quotes (Q2), captions under another name (Q53)."""

APOSTROPHES = Framing(boundary="part-of-answer", content_type="multipart/parallel; boundary='{boundary}'")
"""The boundary between single quotes, which are no part of it (Q3)."""

OLD = Framing(
    boundary="OldServerPart",
    content_type='Multipart/Parallel; Boundary="{boundary}"',
    preamble=b"This answer has several parts.\r\n\r\n",
    colon=":",
    lower_names=True,
    chunked=False,
)
"""Upper case where it does not matter (Q4), a preamble (Q6), tight colons (Q12), small names (Q13)."""

CREA = Framing(
    boundary="5d1c0b8e-crea", content_type="multipart/parallel; boundary={boundary}", no_caption="null"
)
"""`Content-Description: null` where there is no caption (Q53)."""

BROKEN_PAGE = (
    b"<html><head><title>502</title></head><body><h1>The image server is away</h1></body></html>\r\n"
)
"""What a proxy puts in a picture's place, under the picture's own type (Q26)."""
