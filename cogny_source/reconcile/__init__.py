"""Comparison of destination and API: counts, census, scrub, verification."""
