"""Reading a resource from the API: which rows, in which order, and whether all came."""
