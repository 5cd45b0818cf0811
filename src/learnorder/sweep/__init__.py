"""Many runs: planned, shared out over this machine, watched."""

from learnorder.sweep.driver import Plan, run_plans
from learnorder.sweep.engine import Cores, share_cores

__all__ = ["Cores", "Plan", "run_plans", "share_cores"]
