"""RESO Web API servers on loopback: an MLS in memory that speaks the dialects of several providers."""
