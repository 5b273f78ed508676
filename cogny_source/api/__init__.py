"""The Cogny API over HTTP: requests that are paced, repeated where that is safe, and read into pages."""
