"""What a network really is, found by building it without training it."""
