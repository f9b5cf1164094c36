"""What a document can say: frozen records, decoded from canonical nodes.

Every record keeps the mapping it was read from as ``node``, so that a diagnostic can point at any of its keys.
"""
