"""A real JupyterLab for tests: server on a free port, notebook open in Chromium, both shut down whatever happens.

>>> with notebook(Path("notebooks/quickstart.ipynb")) as page:      # doctest: +SKIP
...     assert run_all(page, timeout=120) == []
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_CONTENT = "const nb = window.jupyterapp.shell.currentWidget;"
_CELLS = _CONTENT + """ const cells = nb.content.widgets.filter(c => c.model.type === "code");"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def jupyterlab(folder: Path, env: dict[str, str] | None = None, app: str = "jupyterlab") -> Iterator[str]:
    """A JupyterLab server on ``folder``; yields its address. Settings and runtime files live in a scratch folder.

    app: "jupyterlab", or "notebook" for Notebook 7.
    """
    own = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
           "--expose-app-in-browser"] if app == "jupyterlab" else ["--JupyterNotebookApp.expose_app_in_browser=True"]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="salw-lab-") as scratch:
        places = {f"JUPYTER_{name}_DIR": str(Path(scratch) / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        places |= {"JUPYTERLAB_SETTINGS_DIR": f"{scratch}/settings", "JUPYTERLAB_WORKSPACES_DIR": f"{scratch}/spaces",
                   "IPYTHONDIR": f"{scratch}/ipython"}
        quiet = Path(scratch, "settings", "@jupyterlab", "apputils-extension", "notification.jupyterlab-settings")
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')  # no question in front of the notebook
        command = [sys.executable, "-m", app, "--no-browser", "--allow-root", "--ip=127.0.0.1",
                   f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
                   "--IdentityProvider.token=", "--ServerApp.password=", *own]
        url = f"http://127.0.0.1:{port}"
        with served(command, f"{url}/api", {**places, **(env or {})}):
            yield url


@contextmanager
def served(command: Sequence[str], answers: str, env: dict[str, str]) -> Iterator[None]:
    """A server of a command, waited for until it answers at an address, and ended with its kernels whatever happens."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory(prefix="salw-served-") as scratch:
        log = Path(scratch) / "server.log"
        with log.open("w") as out:
            server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                      env={**os.environ, "PYTHONPATH": path, **env})
            try:
                _wait_for(answers, server, log)
                yield
            finally:
                _stop(server)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer within {timeout:.0f} s:\n{log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end (it ends its kernels), and insist after ten seconds."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if server.poll() is not None:
            break
        os.killpg(server.pid, how)
        if how is signal.SIGINT:
            time.sleep(0.1)  # a second interrupt within five seconds means "yes, shut down"
            os.killpg(server.pid, how)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue


def write_notebook(path: Path, cells: Sequence[str]) -> Path:
    """A notebook of code cells, with the kernel it wants, so that JupyterLab does not ask."""
    import nbformat

    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, path)
    return path


def open_notebook(browser: Any, url: str, name: str, *, theme: str = "light", width: int = 1280,
                  timeout: float = 90, context: Any = None, address: str = "") -> Any:
    """The page with the notebook ``name`` open and its kernel ready. theme: "light" or "dark".

    context: by default a new one. address: of the notebook, where it is not JupyterLab that shows it.
    """
    context = context or browser.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    page.goto(address or f"{url}/lab/workspaces/w{secrets.token_hex(4)}/tree/{name}?reset")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=timeout * 1000)
    page.evaluate(f"""async () => {{ {_CONTENT} await nb.sessionContext.ready; await nb.revealed; }}""")
    wait_for_kernel(page, "idle", timeout)
    names = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
    page.evaluate("""async (theme) => {
        const app = window.jupyterapp;
        await app.commands.execute("apputils:change-theme", { theme });
        if (app.shell.leftCollapsed === false) app.shell.collapseLeft();
    }""", names[theme])
    return page


@contextmanager
def notebook(browser: Any, path: Path, *, theme: str = "light", env: dict[str, str] | None = None) -> Iterator[Any]:
    """Server and page for one notebook file, gone afterwards; the file itself is run on a copy."""
    with tempfile.TemporaryDirectory(prefix="salw-notebook-") as folder:
        shutil.copy(path, folder)
        with jupyterlab(Path(folder), env) as url:
            page = open_notebook(browser, url, path.name, theme=theme)
            yield page
            page.context.close()


def run_all(page: Any, timeout: float = 120) -> list[str]:
    """Run every cell and return the errors of cells ("NameError: ..."), in order."""
    page.evaluate("""() => { void window.jupyterapp.commands.execute("notebook:run-all-cells"); }""")
    done = f"""() => {{ {_CELLS}
        const last = cells.filter(c => c.model.sharedModel.getSource().trim());
        const errors = cells.some(c => c.model.outputs.toJSON().some(o => o.output_type === "error"));
        const idle = nb.sessionContext.session?.kernel?.status === "idle";
        return idle && (errors || last.every(c => c.model.executionCount !== null)); }}"""
    page.wait_for_function(done, timeout=timeout * 1000)
    page.wait_for_timeout(300)
    return cell_errors(page)


def cell_errors(page: Any) -> list[str]:
    """Errors that cells show now."""
    return page.evaluate(f"""() => {{ {_CELLS}
        return cells.flatMap(c => c.model.outputs.toJSON())
            .filter(o => o.output_type === "error").map(o => `${{o.ename}}: ${{o.evalue}}`); }}""")


def start_cell(page: Any, index: int) -> None:
    """Begin to run one code cell and do not wait for it."""
    page.evaluate(f"""(i) => {{ {_CELLS}
        nb.content.activeCellIndex = nb.content.widgets.indexOf(cells[i]);
        void window.jupyterapp.commands.execute("notebook:run-cell"); }}""", index)


def run_cell(page: Any, index: int, timeout: float = 30) -> str:
    """Run one code cell, wait for it, and return what it printed."""
    before = page.evaluate(f"(i) => {{ {_CELLS} return cells[i].model.executionCount; }}", index)
    start_cell(page, index)
    done = f"""([i, before]) => {{ {_CELLS} const now = cells[i].model.executionCount;
        return now !== null && now !== before && nb.sessionContext.session.kernel.status === "idle"; }}"""
    page.wait_for_function(done, arg=[index, before], timeout=timeout * 1000)
    page.wait_for_timeout(100)
    text = """o => [].concat(o.text ?? o.evalue ?? "").join("")"""
    found = f"cells[i].model.outputs.toJSON().map({text})"
    return page.evaluate(f"""(i) => {{ {_CELLS} return {found}.join(""); }}""", index)


def wait_for_kernel(page: Any, status: str, timeout: float = 30) -> None:
    """Wait until the kernel is "idle", "busy", ..."""
    now = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
    page.wait_for_function(f"(status) => {now} === status", arg=status, timeout=timeout * 1000)


def kernel_status(page: Any) -> str:
    """"idle", "busy", ..."""
    return page.evaluate(f"() => {{ {_CONTENT} return nb.sessionContext.session.kernel.status; }}")


def interrupt(page: Any) -> None:
    """Interrupt the kernel, as the stop button does."""
    page.evaluate(f"async () => {{ {_CONTENT} await nb.sessionContext.session.kernel.interrupt(); }}")
