"""The page's section on the audit of the published tables."""

from __future__ import annotations

import pandas as pd

from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.audit import audit_rows


def audit_section(audit: pd.DataFrame) -> str:
    """The findings as an HTML table, problems first.

    Args:
        audit: see :func:`longtail.published.audit.audit`.
    """
    return fragment("audit_section.html.j2", audit=audit_rows(audit))
