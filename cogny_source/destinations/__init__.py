"""The destinations that the command line offers."""
