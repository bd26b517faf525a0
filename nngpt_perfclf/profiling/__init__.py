"""What a network really is: it is built in a sandbox without training it, and measured."""
