"""Kills runs and workers at random, damages what they leave, and checks what the store has then.

    python tests/torture/torture.py --kills 50 --seed 0 --output results/torture.json

Kinds of kills: the run, a worker, all at once, Ctrl-C, or one of two runs on one store. Some runs
are stopped for longer than their leases last, with their workers or without, and go on. Damage
between two runs: torn or changed checkpoints, notes, leases, records. What must hold: no finished
record is lost or changed, every record reads, codes and metrics equal those of an unbroken run bit
for bit, every cell has one successful fit, and no worker outlives its run by a lease period.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("hashbench"))
MATRIX = Path(__file__).with_name("matrix.yaml")
LEASE = 3.0
SLACK = 6.0  # seconds that a loaded machine may need beyond what is promised
LONGEST_RUN = 600.0
SLEEP = "sleep"


def workers(store: Path) -> list[int]:
    """Return the process ids of the workers on a store."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            mine = any(word.startswith(os.fsencode(store) + b"/") for word in words)
            if b"hashbench.worker" in words and mine:
                found.append(int(entry.name))
    return found


def parent(pid: int) -> int:
    """Return the process id of a process's parent; 0 if it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(words[1])


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended just now."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def records(store: Path) -> dict[Path, bytes]:
    """Return the content of every record."""
    files = store.glob("[!.]*/[!.]*-*.json")
    return {path: path.read_bytes() for path in files}


def results(store: Path) -> dict[str, Any]:
    """Return, by cell, what must be equal: the checksum of its codes, and its metrics."""
    found: dict[str, Any] = {}
    for content in records(store).values():
        record = json.loads(content)
        if record["status"] == "ok":
            of_cell = found.setdefault(record["fit_id"], {})
            if record["kind"] == "fit":
                of_cell["codes"] = record["artifacts"]["codes"]["sha256"]
                of_cell["history"] = record["history"]
            else:
                of_cell["metrics"] = record["metrics"]
    return found


class Torture:
    """One store after another, until enough was killed.

    Args:
        folder: Where stores are made.
        seed: Of every random choice.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.damages: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.problems: list[str] = []
        self.store = folder / "none"
        self.runs: list[subprocess.Popen[bytes]] = []
        self.finished: dict[Path, bytes] = {}
        self.reference = self.unbroken()

    def unbroken(self) -> dict[str, Any]:
        """Return the results of a run that nobody disturbs."""
        store = self.folder / "unbroken"
        run = self.start(store)
        assert run.wait(LONGEST_RUN) == 0, (self.folder / "output.txt").read_text()
        return results(store)

    def start(self, store: Path) -> subprocess.Popen[bytes]:
        """Start a run."""
        words = ["run", str(MATRIX), "--store", str(store), "--lease", f"{LEASE:g}"]
        words += ["--slots", str(self.random.choice((1, 2)))]
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [COMMAND, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
            )

    def go(self, kills: int) -> None:
        """Kill so often, then let the last store be completed."""
        number = 0
        while self.kills.total() < kills:
            number += 1
            self.store = self.folder / f"store-{number}"
            self.finished = {}
            while self.kills.total() < kills and not self.complete():
                self.one_more()
            self.complete_and_compare()
            shutil.rmtree(self.store, ignore_errors=True)

    def complete(self) -> bool:
        """Whether every cell of the store is done."""
        found = results(self.store)
        return len(found) == len(self.reference) and all("metrics" in c for c in found.values())

    def one_more(self) -> None:
        """Start what is not running, wait, kill, look, and perhaps damage something."""
        self.runs = [run for run in self.runs if run.poll() is None]
        kinds = ("run", "run", "worker", "worker", "all", "ctrl-c", "one of two", SLEEP)
        kind = self.random.choice(kinds)
        while len(self.runs) < (2 if kind in ("one of two", SLEEP) else 1):
            self.runs.append(self.start(self.store))
        self.wait_for_work()
        if all(run.poll() is not None for run in self.runs):
            return  # it was faster than the killer
        if kind == SLEEP:
            self.put_to_sleep()
        else:
            self.strike(kind)
        self.check_records()
        if not self.runs:
            self.check_workers_gone()
            self.damage()

    def wait_for_work(self) -> None:
        """Mostly until something is being trained, sometimes just anywhere."""
        until = time.monotonic() + self.random.uniform(0.0, 6.0)
        if self.random.random() < 0.85:
            patience, before = time.monotonic() + 90, self.checkpoints()
            while not self.checkpoints() - before and time.monotonic() < patience:
                if all(run.poll() is not None for run in self.runs):
                    return
                time.sleep(0.02)
            until = time.monotonic() + self.random.uniform(0.0, 2.0)
        time.sleep(max(0.0, until - time.monotonic()))

    def checkpoints(self) -> set[tuple[str, int]]:
        """Return which there are, and when each was written."""
        found = set()
        for path in self.store.glob(".work/*/epoch-*.pt"):
            with suppress(FileNotFoundError):
                found.add((path.name, path.stat().st_mtime_ns))
        return found

    def put_to_sleep(self) -> None:
        """Stop one of two runs for longer than its leases last; the other takes its cells over."""
        victim = self.random.choice(self.runs)
        its_workers = [pid for pid in workers(self.store) if parent(pid) == victim.pid]
        # Alone a worker sees that its lease is lost; with its run it sleeps through that, too.
        sleepers = [victim.pid, *(its_workers if self.random.random() < 0.5 else [])]
        for pid in sleepers:
            kill(pid, signal.SIGSTOP)
        time.sleep(LEASE + 1.5)
        for pid in sleepers:
            kill(pid, signal.SIGCONT)
        self.found["runs put to sleep beyond their leases"] += 1
        self.found["of them with their workers"] += len(sleepers) > 1

    def strike(self, kind: str) -> None:
        """Kill."""
        victim, alive = self.random.choice(self.runs), workers(self.store)
        if kind == "worker" and not alive:
            kind = "run"
        self.kills[kind] += 1
        if kind == "worker":
            kill(self.random.choice(alive), signal.SIGKILL)
            return
        struck = [victim] if kind != "all" else list(self.runs)
        for run in struck:
            kill(run.pid, signal.SIGINT if kind == "ctrl-c" else signal.SIGKILL)
        if kind == "all":
            for pid in alive:
                kill(pid, signal.SIGKILL)
        for run in struck:
            run.wait(60)
            self.runs.remove(run)

    def check_records(self) -> None:
        """Nothing finished is lost, nothing that is there is half a record."""
        now = records(self.store)
        for path, content in self.finished.items():
            if now.get(path) != content:
                self.problems.append(f"a finished record was lost or changed: {path.name}")
        for path, content in now.items():
            try:
                json.loads(content)
            except ValueError:
                self.problems.append(f"half a record: {path.name}")
        self.finished = now

    def check_workers_gone(self) -> None:
        """No worker outlives its run by a lease period."""
        until = time.monotonic() + LEASE + SLACK
        while workers(self.store):
            if time.monotonic() > until:
                self.problems.append("a worker outlived its run")
                for pid in workers(self.store):
                    kill(pid, signal.SIGKILL)
                return
            time.sleep(0.05)

    def damage(self) -> None:
        """Perhaps tear or change a file."""
        kinds: dict[str, Callable[[], bool]] = {
            "torn checkpoint": lambda: self.tear(".work/*/*.pt"),
            "changed checkpoint": lambda: self.flip(".work/*/*.pt"),
            "torn note": lambda: self.tear(".work/*/made-by.json"),
            "torn job": lambda: self.tear(".work/*/job-*.json"),
            "torn lease": lambda: self.tear(".leases/*/*"),
            "half a record under its temporary name": self.leave_half_a_record,
            "torn record": self.tear_record,
        }
        kind = self.random.choice([*kinds, None, None])
        if kind is not None and kinds[kind]():
            self.damages[kind] += 1

    def pick(self, pattern: str) -> Path | None:
        """Return one of the newest files of a pattern."""
        files = [path for path in self.store.glob(pattern) if not path.name.startswith(".")]
        return self.random.choice(sorted(files)[-2:]) if files else None

    def tear(self, pattern: str) -> bool:
        """Cut a file somewhere."""
        path = self.pick(pattern)
        if path is not None:
            os.truncate(path, self.random.randrange(path.stat().st_size + 1))
        return path is not None

    def flip(self, pattern: str) -> bool:
        """Change a byte of a file."""
        path = self.pick(pattern)
        if path is None or not path.stat().st_size:
            return False
        content = bytearray(path.read_bytes())
        content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
        path.write_bytes(content)
        return True

    def leave_half_a_record(self) -> bool:
        """Leave what a machine that lost power may leave."""
        if not self.finished:
            return False
        path, content = self.random.choice(sorted(self.finished.items()))
        (path.parent / f".tmp-1-{path.name}").write_bytes(content[: len(content) // 2])
        return True

    def tear_record(self) -> bool:
        """Tear a record: the next run must refuse the store by name, and go on without it."""
        if not self.finished or self.random.random() < 0.5:
            return False
        path, content = self.random.choice(sorted(self.finished.items()))
        path.write_bytes(content[: self.random.randrange(len(content) - 1)])
        words = [COMMAND, "run", str(MATRIX), "--store", str(self.store)]
        refused = subprocess.run(words, capture_output=True, text=True, check=False)
        if refused.returncode != 7 or path.name not in refused.stderr:
            self.problems.append(f"a torn record was not refused: {refused.stderr}")
        path.unlink()
        del self.finished[path]
        return True

    def complete_and_compare(self) -> None:
        """Let the store be completed by a last run; compare it with the unbroken one."""
        for run in self.runs:
            run.wait(LONGEST_RUN)
        self.runs = []
        code = self.start(self.store).wait(LONGEST_RUN)
        self.check_records()
        if code != 0 or workers(self.store):
            self.problems.append(f"the last run ended with {code}, workers {workers(self.store)}")
        if results(self.store) != self.reference:
            self.problems.append("codes, history or metrics differ from the unbroken run's")
        self.count()

    def count(self) -> None:
        """Count what the records of a store say; see that no cell was done twice."""
        found = [json.loads(content) for content in self.finished.values()]
        good = [r for r in found if r["kind"] == "fit" and r["status"] == "ok"]
        twice = len(good) - len({record["fit_id"] for record in good})
        if twice:
            self.problems.append(f"{twice} cells were done twice")
        self.found["stores completed"] += 1
        self.found["cells completed"] += len(good)
        self.found["of them resumed"] += sum(r["resumed_from"] is not None for r in good)
        self.found["records of killed workers"] += sum(r["status"] == "killed" for r in found)
        self.found["records of interruptions"] += sum(r["status"] == "interrupted" for r in found)

    def end(self) -> None:
        """Leave nothing running."""
        for run in self.runs:
            kill(run.pid, signal.SIGKILL)
            run.wait(60)
        if self.store.exists():
            self.check_workers_gone()


def main() -> int:
    """Torture, write what came of it, and say whether all held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hashbench-torture-") as name:
        torture = Torture(Path(name).resolve(), options.seed)
        try:
            torture.go(options.kills)
        finally:
            torture.end()
    outcome = {
        "seed": options.seed,
        "kills": torture.kills.total(),
        "kinds of kills": dict(sorted(torture.kills.items())),
        "damage": dict(sorted(torture.damages.items())),
        "found": dict(sorted(torture.found.items())),
        "problems": torture.problems,
        "outcome": "failed" if torture.problems else "held",
        "lease_seconds": LEASE,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    text = json.dumps(outcome, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text)
    return 3 if torture.problems else 0


if __name__ == "__main__":
    sys.exit(main())
