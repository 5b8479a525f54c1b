"""Pure parsers of what MLS feeds send: bytes in, frozen values out.

No module here opens a socket or a file, reads a clock, logs, or knows a configuration; only lxml
and the standard library are imported, and never `service`. A parser *receives* data and returns
what became certain; `close()` says that no more will come.
"""
