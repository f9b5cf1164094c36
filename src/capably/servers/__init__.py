"""Kinds of server; each knows a plan and how to invoke an operation, and nothing else."""
