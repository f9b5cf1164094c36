"""Stories about documents: what a caller asks, what the upstream is asked and replies, what the caller gets."""
