"""What a result tells people: a page with pictures, a table for the terminal, Markdown.

All three are written from the same sections, and everything in them is worked out by
``bench.figures`` from the result alone.
"""

from __future__ import annotations

from capswriter.bench.report.page import write_report
from capswriter.bench.report.sections import Section, sections
from capswriter.bench.report.writing import markdown, terminal

__all__ = ["Section", "markdown", "sections", "terminal", "write_report"]
