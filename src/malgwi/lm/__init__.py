"""Language models: what is likely to be said, whatever was heard."""
