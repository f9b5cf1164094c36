"""What a document should not say: one module per family of rules."""
