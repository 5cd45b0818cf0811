"""The lock of a run: never held by two, and never left behind by one that died."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from learnorder.errors import Interrupted, RunFolderError, RunInUse, RunLost
from learnorder.runs import Progress, RunFolder, lock
from learnorder.runs.checkpoint import save_checkpoint, save_weights
from learnorder.runs.execute import execute
from learnorder.runs.lock import NAME, STALE_AFTER, LockWatch, RunLock, is_locked
from learnorder.runs.lock_file import Owner, is_local, read_owner, write_owner

ELSEWHERE = Owner("elsewhere", "another kernel", 1, 12, "theirs")

HOLD = """
import os, sys, time
from pathlib import Path
from learnorder.runs.lock import RunLock
with RunLock(Path(sys.argv[1])):
    os.write(1, b"held\\n")
    time.sleep(600)
"""

COUNT = """
import sys, time
from pathlib import Path
from learnorder.errors import RunInUse
from learnorder.runs.lock import RunLock, is_locked
folder, counted = Path(sys.argv[1]), 0
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    is_locked(folder)
    try:
        with RunLock(folder):
            seen = int((folder / "count").read_text())
            time.sleep(0.001)
            (folder / "count").write_text(str(seen + 1))
            counted += 1
    except RunInUse:
        pass
print(counted)
"""


def leave(folder, owner=ELSEWHERE, *, age=0.0):
    """Leave a lock behind, as a process of another machine does that died."""
    descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT)
    try:
        write_owner(descriptor, owner)
    finally:
        os.close(descriptor)
    os.utime(folder / NAME, (time.time() - age,) * 2)


@contextmanager
def holder(folder, *before):
    """A process that holds a folder; killed and reaped at the end."""
    command = [*before, sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def beating(folder, owner=ELSEWHERE, *, age):
    """A lock of another machine that shows life, with a clock of its own."""
    stopped = threading.Event()

    def beat():
        count = 0
        while not stopped.wait(0.05):
            count += 1
            leave(folder, Owner(**{**vars(owner), "beat": count}), age=age)

    leave(folder, owner, age=age)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.fixture
def quick(monkeypatch):
    """Waits of fractions of a second."""
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.4)
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(lock, "_POLL_SECONDS", 0.05)


def take(folder):
    """Take a folder and let it go; return the seconds that it took."""
    started = time.monotonic()
    with RunLock(folder) as held:
        taken = time.monotonic() - started
        held.check()
    return taken


def in_use(folder, by=""):
    with pytest.raises(RunInUse, match=f"another process is working on this run.*{by}"):
        take(folder)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_at_a_time(tmp_path):
    with RunLock(tmp_path):
        in_use(tmp_path, f"process {os.getpid()} on {socket.gethostname()}")
        assert is_locked(tmp_path)
    assert names(tmp_path) == []
    take(tmp_path)
    assert names(tmp_path) == []


def test_a_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_processes_that_race_never_hold_it_together(tmp_path):
    """Each adds one to a number, unsafely; none is lost, an abandoned lock to begin with."""
    (tmp_path / "count").write_text("0")
    (tmp_path / NAME).touch()
    command = [sys.executable, "-c", COUNT, str(tmp_path), "3"]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    counted = [int(process.communicate()[0]) for process in racing]
    assert sum(counted) == int((tmp_path / "count").read_text())
    assert sum(count > 0 for count in counted) >= 2


def test_a_process_of_another_pid_namespace_is_seen(tmp_path):
    """As in two containers of one machine, with the same host name and the same process id."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"]).returncode:
        pytest.skip("unshare is not there, or may make no PID namespaces")
    with holder(tmp_path, *apart):
        assert read_owner(tmp_path / NAME).pid < 10
        in_use(tmp_path, "process 1 on")
        second = [*apart, sys.executable, "-c", HOLD, str(tmp_path)]
        refused = subprocess.run(second, capture_output=True, text=True, timeout=60)
        assert "RunInUse" in refused.stderr
    take(tmp_path)


@pytest.mark.parametrize("age", [0, STALE_AFTER + 300, -86400])
def test_a_live_lock_holds_whatever_its_time(tmp_path, age):
    with holder(tmp_path) as process:
        os.utime(tmp_path / NAME, (time.time() - age,) * 2)
        started = time.monotonic()
        in_use(tmp_path, f"process {process.pid} on")
        assert time.monotonic() - started < 10
        assert is_locked(tmp_path)
        assert not LockWatch(tmp_path).is_free()


def test_a_process_that_died_and_was_not_reaped_holds_nothing(tmp_path):
    with holder(tmp_path) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert (tmp_path / NAME).exists()
        assert not is_locked(tmp_path)
        assert LockWatch(tmp_path).is_free()
        assert take(tmp_path) < 10


def test_a_process_made_by_fork_holds_nothing(tmp_path):
    """As a worker of a DataLoader that outlives the process it works for."""
    script = HOLD.replace("    os.write", "    os.fork()\n    os.write")
    command = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["held\n"] * 2
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        assert child.is_running()
        assert take(tmp_path) < 10
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_process_made_by_fork_releases_nothing(tmp_path):
    with RunLock(tmp_path) as held:
        if (child := os.fork()) == 0:
            held.__exit__()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        held.check()
        in_use(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b"1", b"{", b"{}", b"\xff\xfe\x00", b"[" * 4000, b" " * 2**20,
        json.dumps({**vars(ELSEWHERE), "pid": None}).encode(),
        json.dumps({**vars(ELSEWHERE), "beat": True}).encode(),
        json.dumps({**vars(ELSEWHERE), "more": 1}).encode(),
        json.dumps({**vars(ELSEWHERE), "host": "\x1b[2J"}).encode(),
        b" " * 5000 + ELSEWHERE.to_bytes(),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_file_that_names_no_owner_holds_nobody_up(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    assert not is_locked(tmp_path)
    assert LockWatch(tmp_path).is_free()
    with RunLock(tmp_path):
        owner = read_owner(tmp_path / NAME)
        assert owner.pid == os.getpid()
        assert (tmp_path / NAME).read_bytes() == owner.to_bytes()
    assert names(tmp_path) == []


def test_owners_are_written_at_one_length_and_read_back():
    beats = [Owner(**{**vars(ELSEWHERE), "beat": beat}) for beat in (0, 9, 123456789)]
    assert len({len(owner.to_bytes()) for owner in beats}) == 1
    assert [Owner.from_bytes(owner.to_bytes()) for owner in beats] == beats


def test_a_lock_left_by_this_kernel_is_free_at_once(tmp_path):
    """Whatever host name and process id it had, on any kind of disk."""
    with RunLock(tmp_path):
        mine = read_owner(tmp_path / NAME)
    for pid in (2**22 - 3, os.getpid()):
        leave(tmp_path, Owner("container", mine.boot, mine.device, pid, "x"), age=-600)
        assert not is_locked(tmp_path)
        assert take(tmp_path) < 10


def test_a_lock_through_another_mount_may_be_held(tmp_path):
    """As where each container of a machine mounts a disk of the network for itself."""
    with RunLock(tmp_path):
        mine = read_owner(tmp_path / NAME)
    leave(tmp_path, Owner(mine.host, mine.boot, mine.device + 1, 12, "x"))
    assert is_locked(tmp_path)
    in_use(tmp_path, "process 12 on")


def test_a_lock_from_before_a_restart_is_free_at_once(tmp_path, monkeypatch):
    """On a disk of this machine; another machine of the same name may share any other disk."""
    before = Owner(socket.gethostname(), "an earlier boot", 1, os.getpid(), "x")
    monkeypatch.setattr(lock, "is_local", lambda folder: True)
    leave(tmp_path, before)
    assert not is_locked(tmp_path)
    assert take(tmp_path) < 10
    monkeypatch.setattr(lock, "is_local", lambda folder: False)
    leave(tmp_path, before)
    assert is_locked(tmp_path)
    in_use(tmp_path)


@pytest.mark.parametrize("local", [True, False])
class TestAnotherMachine:
    """On a shared disk that passes no locks on, or that this machine serves to others."""

    @pytest.fixture(autouse=True)
    def _shared(self, local, quick, monkeypatch):
        monkeypatch.setattr(lock, "is_local", lambda folder: local)

    def test_holds_while_it_shows_life(self, tmp_path):
        leave(tmp_path, age=STALE_AFTER - 30)
        in_use(tmp_path, "process 12 on elsewhere")
        assert is_locked(tmp_path)
        assert names(tmp_path) == [NAME]
        assert read_owner(tmp_path / NAME) == ELSEWHERE

    def test_is_taken_over_from_after_a_long_silence(self, tmp_path, caplog):
        leave(tmp_path, age=STALE_AFTER + 30)
        assert not is_locked(tmp_path)
        assert 0.5 <= take(tmp_path) < 10
        assert "waiting 0 seconds for a sign of life of process 12 on elsewhere" in caplog.text
        assert names(tmp_path) == []

    def test_holds_if_its_clock_is_wrong_but_it_shows_life(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lock, "STALE_AFTER", 2)
        for age in (30, -86400):
            with beating(tmp_path, age=age):
                in_use(tmp_path, "process 12 on elsewhere")
            assert names(tmp_path) == [NAME]

    def test_is_taken_over_from_if_its_clock_is_ahead(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lock, "STALE_AFTER", 0.6)
        leave(tmp_path, age=-86400)
        assert is_locked(tmp_path)
        assert 0.7 <= take(tmp_path) < 10

    def test_the_wait_for_it_can_be_stopped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lock, "WATCH_SECONDS", 60)
        leave(tmp_path, age=STALE_AFTER + 30)
        with pytest.raises(RunInUse), RunLock(tmp_path, stop=lambda: True):
            pass
        assert read_owner(tmp_path / NAME) == ELSEWHERE

    def test_the_one_that_writes_last_has_it(self, tmp_path, monkeypatch):
        """Both saw it silent; neither sees the other's lock of the operating system."""
        monkeypatch.setattr(lock.time, "sleep", lambda seconds: leave(tmp_path))
        monkeypatch.setattr(lock, "_POLL_SECONDS", 60)
        monkeypatch.setattr(lock, "WATCH_SECONDS", 0)
        leave(tmp_path, Owner("elsewhere", "another kernel", 1, 13, "dead"), age=STALE_AFTER + 30)
        in_use(tmp_path, "process 12 on elsewhere")
        assert read_owner(tmp_path / NAME) == ELSEWHERE

    def test_is_watched_until_it_is_worth_trying(self, tmp_path):
        leave(tmp_path, age=STALE_AFTER + 30)
        watch = LockWatch(tmp_path)
        assert str(watch.owner) == "process 12 on elsewhere"
        assert not watch.is_free()
        time.sleep(0.5)
        assert watch.is_free()
        (tmp_path / NAME).write_bytes(Owner(**{**vars(ELSEWHERE), "beat": 1}).to_bytes())
        assert not watch.is_free()
        time.sleep(0.5)
        assert not watch.is_free()  # fresh
        (tmp_path / NAME).unlink()
        assert watch.is_free()


def test_two_that_begin_at_once_on_a_shared_disk(tmp_path, quick, monkeypatch):
    """One writes while the other waits for it to show itself."""
    monkeypatch.setattr(lock, "is_local", lambda folder: False)
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: leave(tmp_path))
    in_use(tmp_path, "process 12 on elsewhere")
    assert read_owner(tmp_path / NAME) == ELSEWHERE


def test_without_locks_of_the_operating_system(tmp_path, quick, monkeypatch):
    """As on some shared disks: what the file says must do."""
    monkeypatch.setattr(lock, "try_flock", lambda descriptor, shared=False: None)
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    with RunLock(tmp_path):
        assert is_locked(tmp_path)
        in_use(tmp_path, f"process {os.getpid()} on")
        os.utime(tmp_path / NAME, (time.time() - STALE_AFTER - 60,) * 2)
        in_use(tmp_path, f"process {os.getpid()} on")
    take(tmp_path)
    leave(tmp_path, age=STALE_AFTER + 60)
    assert take(tmp_path) >= 0.5
    assert names(tmp_path) == []


def test_on_a_disk_that_does_not_number_its_files(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(lock, "_is_file", lambda descriptor, path: False)
    for _ in range(2):
        with RunLock(tmp_path):
            in_use(tmp_path, f"process {os.getpid()} on")
        assert names(tmp_path) == []


def test_threads_that_race_without_locks_of_the_operating_system(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(lock, "try_flock", lambda descriptor, shared=False: None)
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 1.0)
    barrier, outcomes = threading.Barrier(4), []

    def race():
        barrier.wait()
        try:
            with RunLock(tmp_path):
                outcomes.append("held")
                until = time.monotonic() + 10
                while len(outcomes) < 4 and time.monotonic() < until:
                    time.sleep(0.01)
        except RunInUse:
            outcomes.append("refused")

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", "refused", "refused", "refused"]


def test_it_shows_life_until_it_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.02)
    with RunLock(tmp_path) as held:
        size = (tmp_path / NAME).stat().st_size
        until = time.monotonic() + 10
        while read_owner(tmp_path / NAME).beat < 12:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert (tmp_path / NAME).stat().st_size == size
        held.check()
        leave(tmp_path)
        time.sleep(0.1)
        assert read_owner(tmp_path / NAME) == ELSEWHERE
        with pytest.raises(RunLost, match=r"no longer holds the run's lock, process 12 on elsewh"):
            held.check()
    assert read_owner(tmp_path / NAME) == ELSEWHERE


def test_a_lock_whose_file_was_removed_is_lost(tmp_path):
    with RunLock(tmp_path) as first:
        (tmp_path / NAME).unlink()
        with RunLock(tmp_path) as second:
            with pytest.raises(RunLost):
                first.check()
            second.check()
        with pytest.raises(RunLost):
            first.check()
    assert names(tmp_path) == []


def test_a_look_changes_nothing(tmp_path):
    leave(tmp_path, age=1000)
    before = (tmp_path / NAME).stat()
    is_locked(tmp_path)
    LockWatch(tmp_path).is_free()
    after = (tmp_path / NAME).stat()
    assert names(tmp_path) == [NAME]
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert not is_locked(tmp_path / "none")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be written to"):
        take(tmp_path / "none")


def fail(descriptor, owner):
    raise OSError(28, os.strerror(28))


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(lock, "write_owner", fail)
        with pytest.raises(RunFolderError, match=r"No space left on device.*--out"):
            take(tmp_path)
    assert names(tmp_path) == []
    take(tmp_path)


def test_a_disk_that_is_full_indeed(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        assert is_local(tmp_path)
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "large").write_bytes(b"x" * 2**17)
        with pytest.raises(RunFolderError, match="No space left on device"):
            take(tmp_path)
        assert names(tmp_path) == ["large"]
        (tmp_path / "large").unlink()
        with RunLock(tmp_path) as held:
            with pytest.raises(OSError, match="No space left"):
                (tmp_path / "large").write_bytes(b"x" * 2**17)
            held.check()
        assert not is_locked(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_disks_of_this_machine(monkeypatch):
    part = type(psutil.disk_partitions(all=True)[0])
    mounted = [("/", "ext4"), ("/home", "nfs4"), ("/home/me/fast", "xfs"), ("/mnt", "tmpfs")]
    mounted += [("/mnt", "fuse.sshfs")]  # hides the one before
    parts = [part("none", place, kind, "rw") for place, kind in mounted]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)
    places = ["/var/x", "/home/me", "/homer", "/home/me/fast/runs", "/mnt/x"]
    assert [is_local(Path(place)) for place in places] == [True, False, True, True, False]


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.path.iterdir()}


def test_whoever_loses_a_run_stops_and_writes_nothing_more(tiny, tmp_path):
    folder, steps, after = RunFolder.create(tmp_path / "run", tiny), [], {}

    def each_step():
        steps.append(1)
        if len(steps) == 6:  # in the second epoch
            leave(folder.path)
            after.update(contents(folder))

    with pytest.raises(RunLost, match="It stops without saving"):
        execute(folder, each_step=each_step)
    assert len(steps) <= 8
    assert "checkpoint.pt" in after
    assert contents(folder) == after
    assert folder.read_status() == "running"
    assert folder.lock is None
    (tmp_path / "run" / NAME).unlink()
    assert execute(folder) == "finished"


WRITES = {
    "manifest": lambda folder: folder.update(status="finished"),
    "tables": lambda folder: folder.write_tables(records=folder.records()),
    "progress": lambda folder: folder.write_progress(Progress(0.5, "")),
    "checkpoint": lambda folder: save_checkpoint(folder, {}),
    "weights": lambda folder: save_weights(folder, {}),
}


@pytest.mark.parametrize("name", WRITES)
def test_nothing_is_written_to_a_run_that_is_lost(tiny, tmp_path, name):
    folder = RunFolder.create(tmp_path / "run", tiny)
    with RunLock(folder.path) as folder.lock:
        WRITES[name](folder)
        leave(folder.path)
        before = contents(folder)
        with pytest.raises(RunLost):
            WRITES[name](folder)
        assert contents(folder) == before


def test_a_lock_that_cannot_be_read_is_no_reason_to_stop_between_results(
    tiny, tmp_path, monkeypatch
):
    def unreadable(path):
        raise OSError(5, os.strerror(5))

    folder = RunFolder.create(tmp_path / "run", tiny)
    with RunLock(folder.path) as folder.lock, monkeypatch.context() as patched:
        patched.setattr(lock, "read_owner", unreadable)
        WRITES["progress"](folder)
        with pytest.raises(RunFolderError, match=r"\.lock cannot be read: Input/output error"):
            WRITES["manifest"](folder)
    assert folder.read_status() == "pending"


def test_a_checkpoint_during_which_a_run_is_lost_is_not_kept(tiny, tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "run", tiny)

    def digest(payload):
        leave(folder.path)
        return b"0"

    monkeypatch.setattr("learnorder.runs.checkpoint.digest", digest)
    with RunLock(folder.path) as folder.lock, pytest.raises(RunLost):
        save_checkpoint(folder, {})
    assert names(folder.path) == [NAME, "manifest.json"]


def test_a_signal_ends_the_wait_for_another_machine(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    leave(folder.path, age=STALE_AFTER + 60)
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Interrupted, match="was not started"):
        execute(folder)
    assert folder.read_status() == "pending"
    assert read_owner(folder.file(NAME)) == ELSEWHERE


def test_whoever_loses_a_run_and_fails_takes_no_note(tiny, tmp_path):
    folder, after = RunFolder.create(tmp_path / "run", tiny), {}

    def each_step():
        leave(folder.path)
        after.update(contents(folder))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        execute(folder, each_step=each_step)
    assert contents(folder) == after
