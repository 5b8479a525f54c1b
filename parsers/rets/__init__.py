"""The RETS dialects: login answers, reply codes, search results, GetObject answers, DMQL."""
