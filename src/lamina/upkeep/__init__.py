"""What a namespace of a registry has been given, what is due there, and what may go."""
