"""Health, metrics, the status page and its gallery: what operators see of a running daemon.

It reads the catalog and the store; the one thing it can change is when a parked listing is tried.
"""
