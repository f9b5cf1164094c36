"""The paths of the service (Assistants API v2): each is one line of meaning over the stores."""
