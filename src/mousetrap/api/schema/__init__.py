"""The bodies of requests and answers. `/docs` is made from them."""
