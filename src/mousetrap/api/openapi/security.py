"""The security scheme of the OpenAPI document, and the scope of each operation."""

from typing import Any, Final

from mousetrap.api.http import scopes

NAME: Final = "token"
SCHEMES: Final = {
    NAME: {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of the API. Its scopes: "
        + "; ".join(f"`{scope}`: {meaning}" for scope, meaning in scopes.MEANINGS.items())
        + ".",
    }
}


def protect(document: dict[str, Any]) -> None:
    """Add to each operation the scope that it needs, for programs and for people."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            scope = scopes.required(method.upper(), path)
            operation["security"] = [] if scope is None else [{NAME: [scope.value]}]
            if scope is not None:
                texts = operation.get("description"), f"Needs the scope `{scope}`."
                operation["description"] = " ".join(filter(None, texts))
