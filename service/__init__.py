"""The daemon that keeps an S3 bucket in step with the photos of MLS feeds.

The map, from the ground up, which is also the import rule (tests/test_imports.py holds it):

    parsers                                  pure; imports nothing of service
    core                                     pure decisions and the ports; imports parsers
    feeds  stores  ingest  simulator  web    adapters and shell; import core and parsers, never each other
    config  errors  logs  metrics            leaves; anyone in service may import them
    bootstrap                                the only place where adapters are built and joined
    cli  daemon  replay  record              call bootstrap

Start reading at core/plan.py (the two decisions) and ingest/cycle.py (who carries them out).
"""
