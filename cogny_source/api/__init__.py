"""The Cogny API over HTTP: paced requests, retries where they are safe, and pages."""
