"""The macros of the BUILD files, which define the layout of a package once.

A package of src/mousetrap may import only the others and the requirements that it names;
`./pants lint ::` refuses all other imports. See docs/architecture.md.
"""

DEPLOYABLES = ("admin", "api", "fetch_worker", "process_worker")
"""The packages that run as processes, each with its image. BUILD files can list no folders."""


def _allow(packages, requirements):
    here = ["/**", "//src/mousetrap/__init__.py"]
    others = [f"//src/mousetrap/{package}/**" for package in packages]
    distributions = [f"//3rdparty/default#{name}" for name in requirements]
    __dependencies_rules__(("*", *here, *others, *distributions, "!*"))


def library(packages=(), requirements=(), **sources):
    """A package that others import."""
    _allow(packages, requirements)
    python_sources(**sources)


def deployable(packages=(), requirements=(), excludes=(), **sources):
    """A package that runs as a process, built as the PEX `dist/PACKAGE.pex`.

    Beside it is the bill of materials of its image, `dist/PACKAGE.cdx.json`.
    `excludes` names distributions that a requirement depends on and that we never import.
    """
    package = build_file_dir().name
    health_check = "//src/mousetrap/telemetry/check.py"  # of its image
    content = _program(
        packages,
        requirements,
        excludes,
        f"{package}.pex",
        [health_check],
        sources,
        image=_image(package),
    )
    for layer in ("dependencies", "sources"):
        deployable_layer(
            name=f"{layer}-layer",
            layer=layer,
            output_path=f"layers/{package}/{layer}.pex",
            **content,
        )


def program(name, packages=(), requirements=(), excludes=(), **sources):
    """A program for people's own machines: it has no image, and is built as the PEX `dist/NAME.pex`."""
    _program(packages, requirements, excludes, f"{name}.pex", [], sources)


def _image(package):
    return f"mousetrap/{package.replace('_', '-')}"


def _program(packages, requirements, excludes, file, dependencies, sources, **fields):
    _allow(packages, requirements)
    deployable_sources(name="sources", **sources)
    content = {
        "module": f"mousetrap.{build_file_dir().name}.__main__",
        "dependencies": ["./__main__.py:sources", *dependencies],
        "excludes": excludes,
    }
    deployable_pex(output_path=file, **fields, **content)
    return content


def deployable_image(package):
    """The image `mousetrap/PACKAGE` of a deployable: its Dockerfile unpacks two layers."""
    name = package.replace("_", "-")
    docker_image(
        name=name,
        source="Dockerfile",
        repository=_image(package),
        extra_build_args=[f"TITLE={_image(package)}"],
        dependencies=[
            ":strip",
            f"//src/mousetrap/{package}:dependencies-layer",
            f"//src/mousetrap/{package}:sources-layer",
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
