"""How packages become units: one module for each form of package."""
