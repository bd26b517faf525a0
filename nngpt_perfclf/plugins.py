"""The plugin manager. Built-in and third-party plugins are registered through the entry point group `nngpt_perfclf`."""

import pluggy

from nngpt_perfclf import hookspecs


def get_plugin_manager(*plugins: object, installed: bool = True) -> pluggy.PluginManager:
    """A new manager with the contract, the installed entry points and the given plugin objects.

    There is no global one. A plugin given here is asked before the installed ones, the last given first.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    if installed:
        manager.load_setuptools_entrypoints(hookspecs.PROJECT)
    for plugin in plugins:
        manager.register(plugin)
    manager.check_pending()
    return manager


def registered(hook: str) -> list:
    """Everything that the installed plugins, the built-in one included, return from one of the ``register_…`` hooks."""
    manager = get_plugin_manager()
    return [entry for entries in getattr(manager.hook, hook)() for entry in entries]
