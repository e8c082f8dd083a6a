"""From its import on, Ctrl-C and SIGTERM end the script with one line. Stages import it first.

Their other imports take seconds, and a signal in one of them would be a traceback of some library.
"""

import atexit

from whyrank.core import command

command.end_at_once()
# Registered first, so called last.
atexit.register(command.leave)
