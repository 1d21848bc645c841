"""Downloads within limits: URLs, response headers and bodies."""
