"""Rows between the API and the destination: JSON to Arrow tables, chunks, and the packages of a commit."""
