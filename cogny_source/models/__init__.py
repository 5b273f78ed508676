"""Models for analysts: the dbt package in `dbt/`, and what builds, tests and asks it without dbt."""
