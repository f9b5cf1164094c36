"""The control server: what an operator sees of a running process, and does with it.

:mod:`~capably.servers.control.endpoints` lists every path with the key of the document that allows it; one module for
each subject answers. The console stands under ``/`` and ``/console/`` (:mod:`capably.servers.console`).
"""

from capably.servers.control.app import ControlServer
from capably.servers.control.asked import Instruments, Page, Scripting

__all__ = ["ControlServer", "Instruments", "Page", "Scripting"]
