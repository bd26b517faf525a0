"""What a network really is: it is built without training it, in a sandbox, and measured."""
