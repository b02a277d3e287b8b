"""The command line: parse, call the pipeline, show. Only here lamina prints, exits, and looks at
the environment and the clock.
"""

from lamina.cli.group import COMMANDS, main

__all__ = ["COMMANDS", "main"]
