"""Destinations: one package per kind, a registry of them, and the session through which a run loads and queries."""
