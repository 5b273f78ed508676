"""The tests; `tests/README.md` says where the test of what is."""
