"""The macros of the BUILD files, which define the layout of a room once.

A room may import only the rooms and third-party packages that it names; `./pants lint ::` refuses
all other imports. See docs/architecture.md.
"""

DEPLOYABLES = ("admin", "api", "fetch_worker", "process_worker")
"""The rooms that are a process of their own, each with its image. BUILD files can list no folders."""


def _allow(rooms, requirements):
    here = ["/**", "//src/mousetrap/__init__.py"]
    others = [f"//src/mousetrap/{room}/**" for room in rooms]
    packages = [f"//3rdparty/default#{name}" for name in requirements]
    __dependencies_rules__(("*", *here, *others, *packages, "!*"))


def library(rooms=(), requirements=(), **sources):
    """A room that others import."""
    _allow(rooms, requirements)
    python_sources(**sources)


def deployable(rooms=(), requirements=(), excludes=(), **sources):
    """A room that runs as a process; packaged, it is the PEX `dist/ROOM.pex`.

    Beside it is the bill of materials of its image, `dist/ROOM.cdx.json`.
    `excludes` names packages that a requirement depends on and that we never import.
    """
    room = build_file_dir().name
    health_check = "//src/mousetrap/telemetry/check.py"  # of its image
    content = _program(
        rooms, requirements, excludes, f"{room}.pex", [health_check], sources, image=_image(room)
    )
    for layer in ("dependencies", "sources"):
        deployable_layer(
            name=f"{layer}-layer",
            layer=layer,
            output_path=f"layers/{room}/{layer}.pex",
            **content,
        )


def program(name, rooms=(), requirements=(), excludes=(), **sources):
    """A program for people's own machines: it has no image; packaged, it is the PEX `dist/NAME.pex`."""
    _program(rooms, requirements, excludes, f"{name}.pex", [], sources)


def _image(room):
    return f"mousetrap/{room.replace('_', '-')}"


def _program(rooms, requirements, excludes, file, dependencies, sources, **fields):
    _allow(rooms, requirements)
    deployable_sources(name="sources", **sources)
    content = {
        "module": f"mousetrap.{build_file_dir().name}.__main__",
        "dependencies": ["./__main__.py:sources", *dependencies],
        "excludes": excludes,
    }
    deployable_pex(output_path=file, **fields, **content)
    return content


def deployable_image(room):
    """The image `mousetrap/ROOM` of a deployable: the Dockerfile in its folder unpacks two layers."""
    name = room.replace("_", "-")
    docker_image(
        name=name,
        source="Dockerfile",
        repository=_image(room),
        extra_build_args=[f"TITLE={_image(room)}"],
        dependencies=[
            ":strip",
            f"//src/mousetrap/{room}:dependencies-layer",
            f"//src/mousetrap/{room}:sources-layer",
        ],
    )


def tests(support=False, dependencies=(), apart=(), **fields):
    """The tests of one folder and, with `support`, the other modules in it.

    They share one process, because starting a process and its servers takes longer than most tests.
    Each pattern of `apart` has a process of its own: a long one that ends last leaves processors idle.
    """
    folder = str(build_file_dir())
    python_tests(
        batch_compatibility_tag=folder,
        overrides={files: {"batch_compatibility_tag": f"{folder}/{files}"} for files in apart},
        dependencies=dependencies,
        **fields,
    )
    if support:
        python_test_utils(name="support", sources=["*.py", "!*_test.py"])
