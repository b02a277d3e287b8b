"""The tests of what people see."""
