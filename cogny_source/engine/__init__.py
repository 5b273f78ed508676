"""How the resources are read: the first load, what changed since, and the resumable loop around both."""
