# SPDX-License-Identifier: BSD-3-Clause
"""Sockets of the family unix, between threads and in asyncio."""
import asyncio, socket, threading

server = socket.socket(socket.AF_UNIX); server.bind("\0facet-test-%d" % threading.get_native_id()); server.listen(4)
def serve():
    for _ in range(3):
        c, _a = server.accept()
        with c: c.sendall(c.recv(100)[::-1])
s = threading.Thread(target=serve); s.start()
for word in (b"one", b"two", b"three"):
    with socket.socket(socket.AF_UNIX) as c: c.connect(server.getsockname()); c.sendall(word); print(c.recv(100))
s.join(); server.close()

async def handler(reader, writer):
    while line := await reader.readline(): writer.write(line.upper()); await writer.drain()
    writer.close()
async def ping(path, name):
    reader, writer = await asyncio.open_unix_connection(path); answers = []
    for i in range(3): writer.write(b"%s %d\n" % (name, i)); answers.append(await reader.readline())
    writer.close(); return answers
async def amain():
    server = await asyncio.start_unix_server(handler, "sock"); print(await asyncio.gather(*(ping("sock", n) for n in (b"x", b"y", b"z")))); server.close(); await server.wait_closed()
asyncio.run(amain())
