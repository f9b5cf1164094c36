"""Expressions in a document, compiled once and evaluated often."""
