"""The first process of a sandbox: it makes the sandbox around itself, then runs the calls.

A program of its own, because namespaces must be entered by a process that has nothing else to do,
and with the standard library alone, because it starts for every image. It imports nothing of
lamina. `lamina.engine.sandbox` is the other end.
"""
