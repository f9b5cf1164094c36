"""Upstream APIs: building requests, authenticating them, sending them."""
