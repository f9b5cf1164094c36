"""Findings as text for people, as JSON lines for scripts and as SARIF for code hosts.

:mod:`capably.render.text`, :mod:`capably.render.ndjson` and :mod:`capably.render.sarif` are pure: they take
diagnostics and the texts of the documents by file name, and give a string.
"""
