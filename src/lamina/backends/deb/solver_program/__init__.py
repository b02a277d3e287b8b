"""What apt would install, as a program for the solver root's own python3 and python3-apt.

It runs inside another system, so it imports nothing of lamina, and nothing of lamina imports it.
"""
