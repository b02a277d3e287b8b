"""What people see: progress, tables, sizes and times. Nothing else in lamina knows rich."""

from lamina.console.look import Look, look_of
from lamina.console.progress import Clock, show_progress, silence
from lamina.console.tables import Table, print_table
from lamina.model.amounts import size_text, time_text

__all__ = [
    "Clock",
    "Look",
    "Table",
    "look_of",
    "print_table",
    "show_progress",
    "silence",
    "size_text",
    "time_text",
]
