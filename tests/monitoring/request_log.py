"""The request log as Grafana's data source reads it."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tests.monitoring.rules import ROOT
from tests.monitoring.stack import Stack

_DOCUMENTED = "grafana_reader"
_FROM, _TO = "now() - interval '1 hour'", "now()"


@contextmanager
def reading(stack: Stack) -> Iterator[psycopg.Connection]:
    """Connect as the user that docs/monitoring.md makes; the name is this test's own, for a server has it once."""
    name = f"reader_{uuid.uuid4().hex}"
    (statements,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "monitoring.md").read_text(), re.DOTALL)
    with psycopg.connect(stack.conninfo, autocommit=True) as owner:
        owner.execute(statements.replace(_DOCUMENTED, name).encode())
        try:
            with psycopg.connect(stack.conninfo, user=name, password="change-me", autocommit=True) as connection:
                yield connection
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def fill_in_sql(query: str, *, step_s: int = 30) -> bytes:
    """The query with the macros of Grafana's PostgreSQL data source replaced, as that does it."""
    filled = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {_FROM} AND {_TO}", query)
    group = rf'floor(extract(epoch FROM \1) / {step_s}) * {step_s} AS "time"'
    return re.sub(r"\$__timeGroupAlias\((\w+), *\$__interval\)", group, filled).encode()
