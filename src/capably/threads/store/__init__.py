"""What clients ask of the service, one module for each kind of object; all of it within one tenant."""
