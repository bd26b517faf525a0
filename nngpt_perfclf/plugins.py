"""Where plugins meet: built-ins and third parties enter by the same door, the entry point group `nngpt_perfclf`."""

from __future__ import annotations

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
    """All that the installed plugins, built-ins included, register by ``register_tasks`` or ``register_prompts``."""
    manager = get_plugin_manager()
    return [one for given in getattr(manager.hook, hook)() for one in given]
