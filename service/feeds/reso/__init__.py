"""Feeds that speak the RESO Web API: one source, and a dialect for each provider."""
