"""What a client sees of an MCP server: a document's, or any other that is reached over HTTP or stdio.

`conversation` speaks both eras of MCP over anything that carries messages, `report` collects and measures what a server
says, `text` writes it down for people.
"""
