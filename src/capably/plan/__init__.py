"""A plan: everything decided about a capability before a socket opens.

:mod:`capably.plan.operation` says what a plan is, :mod:`capably.plan.compile` makes one, :mod:`capably.plan.flow` runs
one operation of it without doing any I/O itself.
"""
