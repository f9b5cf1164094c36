"""Upstream bodies of every format as plain values: dict, list, str, int, float, bool and None. No I/O."""
