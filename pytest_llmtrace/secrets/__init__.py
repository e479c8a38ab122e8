"""What is secret or personal: its names, its looks, where it stands in a body or a URL, and what comes in its place.

The recorder takes it out, replay leaves it out when it compares, and the commands for cassettes find it: all by this.
"""
