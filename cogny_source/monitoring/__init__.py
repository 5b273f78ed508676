"""How the syncs stand: status, health, the check before the first one, alerts."""
