"""The steps from an empty database, or from any older one, to the tables of `tables.py`."""
