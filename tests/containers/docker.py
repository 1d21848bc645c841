"""Docker as an operator uses it: commands, and what they print."""

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2

DEADLINE = 120.0


def docker(*arguments: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run a command; return what it prints on standard output, without the last line's end."""
    done = attempt(*arguments, env=env)
    if check:
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


def attempt(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever comes of it; `stdin` is what it reads."""
    return subprocess.run(
        ["docker", *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE * 2,
        check=False,
    )


def until[T](condition: Callable[[], T], *, deadline: float = DEADLINE) -> T:
    """Ask until the answer is yes; return it."""
    end = time.monotonic() + deadline
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {deadline:g} s"
        time.sleep(0.1)
    return found


class Stack:
    """A project of Docker Compose."""

    def __init__(
        self,
        file: Path,
        env: Mapping[str, str],
        *,
        overlays: Sequence[Path] = (),
        profiles: Sequence[str] = (),
    ) -> None:
        files = [f"--file={it}" for it in (file, *overlays)]
        self._command = ("compose", *files, *(f"--profile={profile}" for profile in profiles))
        self._env = env

    def __call__(self, *arguments: str) -> str:
        """Run `docker compose` with these arguments; return what it prints."""
        return docker(*self._command, *arguments, env=self._env)

    def up(self, *arguments: str) -> None:
        """Bring it up and wait until all of it is healthy."""
        self("up", "--wait", "--wait-timeout", "120", *arguments)

    def containers(self, service: str) -> list[str]:
        """Return the ids of the containers of a service."""
        return self("ps", "--quiet", "--all", service).split()

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what Docker knows of the one container of a service."""
        [container] = self.containers(service)
        return inspect(container)

    def python(self, service: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the container of a process of ours."""
        [container] = self.containers(service)
        return attempt("exec", container, "/app/bin/python", "-c", code)

    def close(self) -> None:
        """Remove all of it, its data too."""
        self("down", "--volumes", "--remove-orphans", "--timeout", "10")


def inspect(thing: str) -> dict[str, Any]:
    """Return what Docker knows of a container or an image."""
    [found] = json.loads(docker("inspect", thing))
    known: dict[str, Any] = found
    return known


class Api:
    """The API, through a published port, with a token if it needs one; use it as `with`.

    With a `certificate` it is behind the edge, which has this one.
    """

    def __init__(
        self, port: int, *, certificate: Path | None = None, token: str | None = None
    ) -> None:
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            verify=ssl.create_default_context(cafile=certificate),
            timeout=10,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def refresh(self, **body: str) -> str:
        """Ask for a refresh; return the path of its job."""
        answer = self.http.post("/refresh", json=body)
        assert answer.status_code == httpx2.codes.ACCEPTED, answer.text
        return answer.headers["location"]

    def ended(self, job: str) -> dict[str, Any]:
        """Return a job once it has ended."""

        def look() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = self.http.get(job).raise_for_status().json()
            except httpx2.HTTPError:  # while something is restarted
                return None
            return found if found["state"] != "queued" else None

        found = until(look)
        assert found
        return found

    def newest(self, **parameters: str) -> dict[str, Any]:
        """Return the newest summary."""
        found: dict[str, Any] = self.http.get("/", params=parameters).raise_for_status().json()
        return found
