# SPDX-License-Identifier: BSD-3-Clause
"""asyncio of Python: tasks, time-outs, child processes, queues, executors."""
import asyncio

async def amain():
    order = []
    async def nap(n): await asyncio.sleep(n / 100); order.append(n)
    await asyncio.gather(nap(3), nap(1), nap(2)); print(order)
    try: await asyncio.wait_for(asyncio.sleep(5), 0.02)
    except asyncio.TimeoutError: print("timed out")
    p = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE); print(await p.communicate(b"through cat"), p.returncode)
    print(await asyncio.to_thread(sum, [1, 2, 3]), await asyncio.get_running_loop().run_in_executor(None, max, 3, 9))
    q = asyncio.Queue(2)
    async def produce():
        for i in range(5): await q.put(i)
    task = asyncio.create_task(produce()); print([await q.get() for _ in range(5)]); await task
    async with asyncio.Lock(): pass
    async def gen():
        for i in range(3): yield i
    print([i async for i in gen()])
asyncio.run(amain())
