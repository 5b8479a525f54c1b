"""How fast, and in how much memory: every figure stands beside a named peer's, measured in the same run.

    python -m benchmarks [NAME ...] [--runs N] [--json] [--quick]

Nothing here is a test: a missed target is a word in a table. Both sides of every comparison are
checked to give the same photos or rows. Servers, and whatever has its memory measured, run in
processes of their own.

    figures.py    what a benchmark gives back; medians of interleaved runs
    programs.py   child processes and how one talks to them
    peak.py       the memory of one function, in a fresh process
    pictures.py   photos and bundles, made on the fly
    source.py     a RETS server        slow_store.py   an S3 server that takes its time
    house.py      the real ingest between the two
"""
