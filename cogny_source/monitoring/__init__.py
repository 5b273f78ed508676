"""Monitoring: status, health, run history, preflight check, alerts."""
