"""What `cogny models build` takes for a million tickets with three million versions, made up by SQL.

`python benchmarks/million_models.py` prints wall and CPU seconds and the peak of the memory of the build and of the
tests; `--tickets` tries another size.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Cost, Failed, measure

TICKETS = 1_000_000
VERSIONS_A_TICKET = 3
SEED = 0.7
# A year of tickets; each changes at most a few times in the weeks after its creation, and one in a hundred is gone.
LIVES = """
    SELECT setseed({seed});
    CREATE SCHEMA cogny_data;
    CREATE TABLE cogny_data.tickets_history AS
    WITH lives AS (
        SELECT i, TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_seconds(CAST(random() * 31536000 AS BIGINT)) AS created_at,
            1 + CAST(floor(random() * (2 * {versions} - 1)) AS INTEGER) AS versions
        FROM range({tickets}) AS t(i)
    ), versions AS (
        SELECT i, created_at, versions, unnest(range(versions)) AS nth FROM lives
    )
    SELECT printf('tkt_%012x', i) AS id,
        created_at + to_seconds(CAST(nth * 86400 * (1 + random() * 20) AS BIGINT)) AS updated_at,
        CASE WHEN nth = 0 THEN 'open'
            ELSE ['in_progress', 'completed', 'open', 'dismissed'][1 + CAST(floor(random() * 4) AS INTEGER)]
        END AS status,
        ['critical', 'high', 'medium', 'low'][1 + i % 4] AS priority,
        ['conversion_optimization', 'funnel_optimization', 'user_engagement', 'revenue_growth', 'retention',
         'acquisition', 'technical_performance', 'data_quality'][1 + i % 8] AS category,
        CASE WHEN random() < 0.5 THEN printf('person %d', CAST(floor(random() * 20) AS INTEGER)) END AS assignee,
        ['low', 'medium', 'high'][1 + i % 3] AS effort,
        ['conversion_rate', 'churn_rate', 'monthly_revenue'][1 + i % 3] AS estimated_impact__metric,
        random() * 100 AS estimated_impact__current_value,
        random() * 120 AS estimated_impact__projected_value,
        random() * 40 AS estimated_impact__increase_percentage,
        random() AS estimated_impact__confidence,
        created_at, nth, versions, i
    FROM versions;
    CREATE TABLE cogny_data.tickets AS
    SELECT id, printf('wh_%012x', i % 12) AS warehouse_id, printf('Ticket %d', i) AS title,
        repeat('A finding that takes a paragraph to tell. ', 8) AS description, category, priority, status, assignee,
        effort, CAST(NULL AS VARCHAR) AS notes, estimated_impact__metric, estimated_impact__current_value,
        estimated_impact__projected_value, estimated_impact__increase_percentage, estimated_impact__confidence,
        CAST(NULL AS JSON) AS supporting_data, CAST(NULL AS VARCHAR) AS url, created_at, updated_at,
        CASE WHEN i % 100 = 0 THEN updated_at + INTERVAL 3 DAY END AS deleted_at, CAST(NULL AS JSON) AS extra
    FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY updated_at DESC) AS nth_from_last
          FROM cogny_data.tickets_history)
    WHERE nth_from_last = 1;
    ALTER TABLE cogny_data.tickets_history DROP COLUMN created_at;
    ALTER TABLE cogny_data.tickets_history DROP COLUMN nth;
    ALTER TABLE cogny_data.tickets_history DROP COLUMN versions;
    ALTER TABLE cogny_data.tickets_history DROP COLUMN i;
"""


def main() -> None:
    """Make the account, build its models and test them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=TICKETS)
    tickets = parser.parse_args().tickets
    with TemporaryDirectory() as folder:
        database = Path(folder) / "growth.duckdb"
        versions = _make_up(database, tickets)
        print(f"{tickets:,} tickets with {versions:,} versions")
        for command in ("build", "test"):
            arguments = ["-m", "cogny_source", "models", command, "--database", str(database)]
            try:
                print(f"{command:<6} {_describe(measure([sys.executable, *arguments], Path(folder), ''))}")
            except Failed as failed:
                sys.exit(f"{command}: {failed}")


def _make_up(database: Path, tickets: int) -> int:
    """Fill a database; returns the number of versions."""
    import duckdb

    with duckdb.connect(str(database)) as connection:
        connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
        connection.execute(LIVES.format(seed=SEED, tickets=tickets, versions=VERSIONS_A_TICKET))
        [(versions,)] = connection.execute("SELECT count(*) FROM cogny_data.tickets_history").fetchall()
    return int(versions)


def _describe(cost: Cost) -> str:
    return f"{cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU, {cost.memory:,.0f} MB at the peak"


if __name__ == "__main__":
    main()
