"""`python -m cogny_source` runs the command `cogny`."""

from cogny_source.cli import main

if __name__ == "__main__":
    main(prog_name="cogny")
