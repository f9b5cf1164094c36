"""capably runs capability documents: one YAML file becomes REST servers and MCP tools."""

__version__ = "0.1.0"
