"""One run: it reads all resources in threads, loads them chunk by chunk with their states, and records the result."""
