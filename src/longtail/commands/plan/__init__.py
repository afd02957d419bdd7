"""The command `kedro plan`: what a run would train, for how long, and what it would need."""

from longtail.commands.plan.command import plan as plan, planned as planned
from longtail.commands.plan.text import Plan as Plan
