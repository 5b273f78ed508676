"""A stand-in for the Cogny API on this machine: it knows every row, and misbehaves on command."""

from cogny_source.sandbox.keys import DEFAULT_KEYS, Access
from cogny_source.sandbox.server import SandboxServer
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import RESOURCES, Turn, World

__all__ = ["DEFAULT_KEYS", "RESOURCES", "Access", "SandboxServer", "Switches", "Turn", "World"]
