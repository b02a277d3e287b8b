"""The stages in their order: catalogue, lock, plan, build, and what is done with images.

Stages do not know each other. Each function takes settings and what earlier stages made, and
hands on what comes of it. Each module is loaded by those commands alone that need it.
"""
