"""`python -m cogny_source` is the command `cogny`."""

from cogny_source.cli import main

if __name__ == "__main__":
    main(prog_name="cogny")
