"""An embedded Threads > Runs service: assistants, threads, messages and runs, kept in one SQLite file.

It is an ASGI application of its own and knows nothing of the capability engine, which reaches it by HTTP like
any other API. The wire format is that of the Assistants API, version 2, so that its clients work unchanged.

    from capably.threads.settings import ThreadsSettings
    from capably.threads.service import create_app
    from capably.threads.keys import create_key

This package needs `pip install 'capably[threads]'`; nothing is imported here, so that naming it costs nothing.
"""
