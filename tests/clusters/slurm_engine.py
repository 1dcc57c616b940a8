"""A real Slurm cluster of two nodes on this machine, in a folder of its own.

    python tests/clusters/slurm_engine.py [COMMAND...]

starts it, runs a command (or a shell) with the variables that lead to it, and ends it. The nodes
have two GPUs each that are none: null devices of their own names. Nothing of the machine's own
Slurm or munge is read or touched. Whatever happens, every daemon goes; the folder goes too, unless
this process is ended by force.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
# Where Debian has daemons, which is not on every user's path.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
NODES = ("node1", "node2")
GPUS = 2
CORES = 4
PATIENCE = 60.0
PR_SET_PDEATHSIG = 1
# cred_expire: a job that is queued again waits until its old credential has expired, as long as two
# minutes otherwise. Nodes say that they have more cores than the machine has.
SLURM_CONF = """\
ClusterName=hashbench-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
ReturnToService=2
KillWait=30
MinJobAge=600
SlurmdParameters=config_overrides
{nodes}
PartitionName=main Nodes={names} Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes={names} State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]


@dataclass(slots=True)
class Engine:
    """A running cluster.

    Attributes:
        folder: Where everything of it lies.
        environment: The variables that lead to it.
        daemons: Its processes.
    """

    folder: Path
    environment: dict[str, str]
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, *command: str) -> str:
        """Return what one of Slurm's programs prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        """Return the ends of the daemons' logs."""
        files = sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))
        ends = ((file.name, file.read_text(errors="replace")[-3000:]) for file in files)
        return "\n".join(f"== {name}\n{text}" for name, text in ends)

    def start(self) -> None:
        """Start munge, the controller and the nodes; wait until every node is idle."""
        host = socket.gethostname().partition(".")[0]
        ports = free_ports(1 + len(NODES))
        lines = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CORES} "
            f"RealMemory=4000 Gres=gpu:{GPUS} State=UNKNOWN"
            for name, port in zip(NODES, ports[1:], strict=True)
        ]
        text = SLURM_CONF.format(
            host=host,
            port=ports[0],
            user=pwd.getpwuid(os.getuid()).pw_name,
            folder=self.folder,
            nodes="\n".join(lines),
            names=",".join(NODES),
        )
        (self.folder / "slurm.conf").write_text(text)
        self._make_gpus()
        (self.folder / "state").mkdir()
        self._start_munge()
        self._start("slurmctld", "-D", "-i")
        for name in NODES:
            self._start("slurmd", "-D", "-N", name, out=f"slurmd-{name}")
        self._wait_until_idle()

    def end(self) -> None:
        """End every daemon, and what jobs left running."""
        for step in self._steps():
            with suppress(ProcessLookupError):
                os.kill(step, signal.SIGKILL)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        until = time.monotonic() + 5
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _make_gpus(self) -> None:
        """Make files that pass for GPUs, the same on every node."""
        names = []
        for number in range(GPUS):
            device = self.folder / f"gpu{number}"
            device.symlink_to("/dev/null")
            names.append(f"Name=gpu File={device}")
        (self.folder / "gres.conf").write_text("\n".join(names) + "\n")

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        folder.mkdir(mode=0o755)
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        files = [f"--{kind}-file={folder}/{kind}" for kind in ("key", "pid", "seed", "log")]
        self._start("munged", "--foreground", "--force", f"--socket={folder}/socket", *files)
        wait_for((folder / "socket").exists, self)

    def _start(self, name: str, *words: str, out: str = "") -> None:
        program = shutil.which(name, path=SEARCHED)
        assert program is not None, name
        with (self.folder / f"{out or name}.out").open("wb") as output:
            self.daemons.append(
                subprocess.Popen(
                    [program, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self.environment,
                    start_new_session=True,
                    preexec_fn=end_with_parent,  # noqa: PLW1509 - no threads here
                )
            )

    def _wait_until_idle(self) -> None:
        def idle() -> bool:
            done = subprocess.run(
                ["sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %T"],
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout.split() == [word for name in NODES for word in (name, "idle")]

        wait_for(idle, self)

    def _steps(self) -> list[int]:
        """Return the processes of this cluster's jobs: they have its variables."""
        mine = os.fsencode(f"SLURM_CONF={self.folder}/")
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # another user's, or ended just now
                if entry.name.isdecimal() and mine in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        daemons = {daemon.pid for daemon in self.daemons}
        return [pid for pid in found if pid not in daemons]


def end_with_parent() -> None:
    """Have this process get a SIGTERM when its parent is gone, however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(true: Callable[[], bool], engine: Engine) -> None:
    """Wait until something holds, as long as every daemon lives."""
    until = time.monotonic() + PATIENCE
    while not true():
        dead = [daemon.args for daemon in engine.daemons if daemon.poll() is not None]
        assert not dead, f"{dead} ended\n{engine.logs()}"
        assert time.monotonic() < until, engine.logs()
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens to."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def running() -> Iterator[Engine]:
    """Start a cluster; end it, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="hashbench-slurm-"))
    folder.chmod(0o755)  # munge refuses a socket that others cannot reach
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SLURM")},
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": SEARCHED,
    }
    engine = Engine(folder, environment)
    try:
        engine.start()
        yield engine
    finally:
        engine.end()
        shutil.rmtree(folder, ignore_errors=True)


def main(command: Sequence[str]) -> int:
    """Run a command on a cluster of its own."""
    lacking = missing()
    if lacking:
        print(f"not installed: {', '.join(lacking)}; make clusters", file=sys.stderr)
        return 2
    with running() as engine:
        words = list(command) or [os.environ.get("SHELL", "sh")]
        return subprocess.run(words, env=engine.environment, check=False).returncode


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
