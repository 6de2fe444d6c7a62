"""The entry point module (group `inspect_ai`): importing it registers provider, tasks and attacks with Inspect."""

from deliberant.evals.attacks.crescendo import crescendo
from deliberant.evals.attacks.forged import forged
from deliberant.evals.attacks.pair import pair
from deliberant.evals.attacks.retry import retry
from deliberant.evals.attacks.tap import tap
from deliberant.evals.probes import awareness, thoughts
from deliberant.evals.provider import deliberant
from deliberant.evals.suites.agentic import agentic
from deliberant.evals.suites.coconot import coconot
from deliberant.evals.suites.harmbench import harmbench, harmbench_contextual
from deliberant.evals.suites.jailbreakbench import jailbreakbench
from deliberant.evals.suites.or_bench import or_bench
from deliberant.evals.suites.policy import policy, policy_allowed
from deliberant.evals.suites.simplesafetytests import simplesafetytests
from deliberant.evals.suites.strongreject import strongreject, strongreject_small
from deliberant.evals.suites.transformation import transformation
from deliberant.evals.suites.xsafety import xsafety
from deliberant.evals.suites.xstest import xstest
from deliberant.evals.tasks import cases

__all__ = [
    "agentic",
    "awareness",
    "cases",
    "coconot",
    "crescendo",
    "deliberant",
    "forged",
    "harmbench",
    "harmbench_contextual",
    "jailbreakbench",
    "or_bench",
    "pair",
    "policy",
    "policy_allowed",
    "retry",
    "simplesafetytests",
    "strongreject",
    "strongreject_small",
    "tap",
    "thoughts",
    "transformation",
    "xsafety",
    "xstest",
]
