"""Where binds find their values besides the environment: files, and secret stores.

A provider takes a bind's location and gives every value it holds by name. To add one, write its module and a line in
:mod:`capably.providers.table`.
"""
