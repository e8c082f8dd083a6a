"""From its import on, Ctrl-C and SIGTERM end the script with one line. Stages import it first.

Their other imports take seconds, and a signal or a lack of memory in one would be a traceback of some library.
"""

import atexit
import sys

from whyrank.core import command

command.end_at_once()
sys.excepthook = command.say_uncaught
# Registered first, so called last.
atexit.register(command.leave)
