"""Downloads: URLs, response heads and bodies, within limits."""
