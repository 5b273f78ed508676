"""The destination held against the API: counts, census, scrub, verification."""
