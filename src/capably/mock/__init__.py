"""``capably mock``: an OpenAPI document answers with its own examples, before the API it describes exists.

Everything but ``app`` and ``serving`` is pure: a document is read into an :class:`~capably.mock.api.Api`, and
``answer`` maps a request to an answer. Nothing here knows capability documents.
"""
