# SPDX-License-Identifier: BSD-3-Clause
"""Threads of Python."""
import collections, concurrent.futures, queue, sys, threading, time

lock, total, barrier, event = threading.Lock(), 0, threading.Barrier(4), threading.Event()
def count(n):
    global total
    for _ in range(n):
        with lock: total += 1
    barrier.wait()
threads = [threading.Thread(target=count, args=(500,)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(total)
q, results = queue.Queue(4), []
def consume():
    while (item := q.get()) is not None: results.append(item * 2); q.task_done()
consumers = [threading.Thread(target=consume) for _ in range(3)]
for c in consumers: c.start()
for i in range(60): q.put(i)
q.join()
for _ in consumers: q.put(None)
for c in consumers: c.join()
print(sum(results), len(results))
condition, log = threading.Condition(), []
def wait_turn(me):
    with condition: condition.wait_for(lambda: len(log) == me); log.append(me); condition.notify_all()
ts = [threading.Thread(target=wait_turn, args=(i,)) for i in reversed(range(6))]; [t.start() for t in ts]; [t.join() for t in ts]; print(log)
timer = threading.Timer(0.02, event.set); timer.start(); print(event.wait(5), event.is_set()); timer.join()
local = threading.local(); local.x = 1
def other(): print(hasattr(local, "x"))
t = threading.Thread(target=other); t.start(); t.join()
with concurrent.futures.ThreadPoolExecutor(4) as ex: print(list(ex.map(lambda v: v ** 2, range(8))), ex.submit(divmod, 17, 5).result()); f = ex.submit(int, "x"); print(type(f.exception()).__name__)
sem = threading.BoundedSemaphore(2); peak, now = 0, 0
def limited():
    global peak, now
    with sem:
        with lock: now += 1; peak = max(peak, now)
        time.sleep(0.005)
        with lock: now -= 1
ts = [threading.Thread(target=limited) for _ in range(6)]; [t.start() for t in ts]; [t.join() for t in ts]; print(peak <= 2)
sys.setswitchinterval(1e-4); d = collections.deque(); ts = [threading.Thread(target=lambda: [d.append(1) for _ in range(1000)]) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(len(d))
