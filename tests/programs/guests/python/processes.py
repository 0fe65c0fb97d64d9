# SPDX-License-Identifier: BSD-3-Clause
"""Processes, signals and pipes of Python: subprocess, os, signal, multiprocessing, selectors, mmap."""
import concurrent.futures, gc, mmap, multiprocessing, multiprocessing.resource_tracker, os, select, selectors, shutil, signal, socket, subprocess, sys, tempfile, time

def square(x): return x * x
def worker(queue, conn): queue.put(os.getpid() != os.getppid()); conn.send({"answer": 42}); conn.close()

def main():
    print(subprocess.run(["sort", "-n"], input="3\n1\n2\n", capture_output=True, text=True).stdout.split())
    print(subprocess.run("exit 7", shell=True).returncode, subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode)
    try: subprocess.run(["sleep", "5"], timeout=0.1)
    except subprocess.TimeoutExpired as e: print("timeout", round(e.timeout, 2))
    try: subprocess.Popen(["/no/such"])
    except FileNotFoundError as e: print(e)
    one = subprocess.Popen(["seq", "1", "20"], stdout=subprocess.PIPE); two = subprocess.Popen(["wc", "-l"], stdin=one.stdout, stdout=subprocess.PIPE); one.stdout.close(); print(two.communicate()[0], one.wait())
    p = subprocess.Popen([sys.executable, "-S", "-c", "import sys; print(sys.stdin.readline().upper()); sys.exit(5)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"A": "b"}, start_new_session=True)
    print(p.communicate(b"line\n"), p.returncode)
    r, w = os.pipe(); pid = os.fork()
    if pid == 0: os.write(w, b"child"); os._exit(3)
    os.close(w); print(os.read(r, 100), os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    got = []; signal.signal(signal.SIGUSR1, lambda s, f: got.append(s)); os.kill(os.getpid(), signal.SIGUSR1); signal.raise_signal(signal.SIGUSR1); print(got)
    signal.signal(signal.SIGALRM, lambda s, f: got.append("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause(); print(got[-1])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2); print(signal.sigpending(), signal.sigtimedwait([signal.SIGUSR2], 1).si_signo)
    a, b = socket.socketpair(); a.sendall(b"x" * 100000) if os.fork() == 0 else None
    if os.getpid() != main_pid: os._exit(0)
    a.close(); n = 0
    while chunk := b.recv(65536): n += len(chunk)
    os.wait(); print(n)
    sel = selectors.DefaultSelector(); r, w = os.pipe(); sel.register(r, selectors.EVENT_READ, "pipe"); print(sel.select(0)); os.write(w, b"1"); print([k.data for k, _ in sel.select(1)]); print(select.select([r], [w], [], 0) == ([r], [w], []), select.poll().poll(0))
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method); queue = context.Queue(); here, there = context.Pipe(); p = context.Process(target=worker, args=(queue, there)); p.start(); print(method, queue.get(), here.recv()); p.join(); print(p.exitcode)
    with multiprocessing.get_context("fork").Pool(3) as pool: print(pool.map(square, range(10)), pool.apply(square, (9,)))
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as ex: print(list(ex.map(square, [1, 2, 3])))
    value = multiprocessing.Value("i", 0); ps = [multiprocessing.Process(target=add, args=(value,)) for _ in range(3)]; [p.start() for p in ps]; [p.join() for p in ps]; print(value.value)
    with open("mapped", "w+b") as f:
        f.write(b"0" * 8192); f.flush(); m = mmap.mmap(f.fileno(), 0)
        if os.fork() == 0: m[4096:4101] = b"child"; m.flush(); os._exit(0)
        os.wait(); print(m[4094:4103], m.find(b"child")); m.close(); f.seek(4096); print(f.read(5))
    with tempfile.TemporaryDirectory() as d: open(os.path.join(d, "f"), "w").close(); shutil.copytree(d, "copied"); print(os.listdir(d))
    print(sorted(e.name for e in os.scandir(".")), os.stat("mapped").st_size, os.path.exists("none"), os.cpu_count() >= 1, os.getpgrp() > 0, os.isatty(0))
    os.chmod("mapped", 0o400); os.symlink("mapped", "link"); os.rename("link", "link2"); print(os.readlink("link2"), oct(os.stat("mapped").st_mode), os.access("mapped", os.R_OK)); os.utime("mapped", ns=(10**18, 10**18)); print(os.stat("mapped").st_mtime_ns)
    print(time.strftime("%Y", time.gmtime(0)), time.monotonic() <= time.monotonic()); start = time.monotonic(); time.sleep(0.05); print(time.monotonic() - start >= 0.05)
    # The tracker of semaphores would complain of some, some time after the end.
    queue = here = there = p = ps = value = None; gc.collect(); multiprocessing.resource_tracker._resource_tracker._stop()
    sys.stdout.flush(); os.execvp("sh", ["sh", "-c", "echo replaced; exit 11"])

def add(value):
    for _ in range(100):
        with value.get_lock(): value.value += 1

main_pid = os.getpid()
if __name__ == "__main__": main()
