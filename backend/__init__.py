"""A Label Studio ML backend that learns named entities from every label."""
