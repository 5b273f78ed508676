"""Rows on their way: JSON of the API to Arrow tables, and what is committed together."""
