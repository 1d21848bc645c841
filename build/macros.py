"""What the BUILD files are written in: the layout of a room, stated once.

A room may import the rooms and the third-party packages that it names, and nothing else;
`./pants lint ::` refuses the rest. See docs/architecture.md.
"""


def _allow(rooms, requirements):
    here = ["/**", "//src/mousetrap/__init__.py"]
    others = [f"//src/mousetrap/{room}/**" for room in rooms]
    packages = [f"//3rdparty/default#{name}" for name in requirements]
    __dependencies_rules__(("*", *here, *others, *packages, "!*"))


def library(rooms=(), requirements=(), **sources):
    """A room that others import."""
    _allow(rooms, requirements)
    python_sources(**sources)


def deployable(name, rooms=(), requirements=(), excludes=(), dependencies=(), **sources):
    """A room that is a process of its own, and its PEX `dist/NAME.pex`."""
    _allow(rooms, requirements)
    python_sources(**sources)
    pex_binary(
        name=name,
        entry_point="__main__.py",
        output_path=f"{name}.pex",
        dependencies=dependencies,
        execution_mode="venv",
        include_tools=True,
        extra_build_args=[f"--exclude={package}" for package in excludes],
    )
