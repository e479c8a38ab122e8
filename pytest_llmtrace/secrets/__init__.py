"""Secret and personal values: their names, their looks, where they stand in a body or a URL, and what replaces them.

The recorder takes them out, replay leaves them out when it compares, and the commands for cassettes find them: all use
this package.
"""
