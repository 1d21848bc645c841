"""The bodies of requests and answers. `/docs` is generated from them."""
