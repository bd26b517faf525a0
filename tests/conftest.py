from hypothesis import settings

# On a busy machine an example's time says nothing about the code.
settings.register_profile("project", deadline=None, max_examples=40)
settings.load_profile("project")
