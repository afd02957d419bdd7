"""The command `kedro plan`: what a run would train, for how long, and what it would need."""

from longtail.commands.plan.command import plan, planned
from longtail.commands.plan.text import Plan

__all__ = ["Plan", "plan", "planned"]
