"""Reads resources from the API: which rows, in which order, and whether all were listed."""
