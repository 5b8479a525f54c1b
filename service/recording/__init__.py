"""What `service.record` is made of: a recorder that observes a feed, and lenses that its answers pass.

The ingest path reads what the lenses let through, and that very text is written down. So what came
of the live answers is what comes of the recording.
"""
