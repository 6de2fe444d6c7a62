"""Attacks: ways to ask for what a policy declines.

`static` wraps one request in words that do not change, each a row of a data file; the other modules are Inspect solvers
that go on from what the target answered.
"""
