"""Exchanges over HTTP: one module per venue, and what they share: transport, rate limits, pages, the walk back in time."""
