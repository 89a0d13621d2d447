# SPDX-License-Identifier: BSD-3-Clause
"""Short TCP connections, one begun every so often whether or not those before it are done.

    short_flows.py serve PORT
    short_flows.py run ADDRESS PORT COUNT OCTETS SECONDS up|down     prints how long each took, ms, as JSON

A connection is done when all octets it sends or fetches have been confirmed by the other end.
"""
import asyncio
import json
import struct
import sys
import time

HEADER = struct.Struct("!II")  # octets that follow, octets wanted


async def answer(reader, writer):
    comes, wanted = HEADER.unpack(await reader.readexactly(HEADER.size))
    await reader.readexactly(comes)
    writer.write(bytes(wanted) + b"!")
    await writer.drain()
    writer.close()


async def serve(port):
    server = await asyncio.start_server(answer, None, port, backlog=1024)
    async with server:
        await server.serve_forever()


async def one(address, port, octets, way):
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(HEADER.pack(octets, 0) + bytes(octets) if way == "up" else HEADER.pack(0, octets))
    answered = await reader.readexactly(1 if way == "up" else octets + 1)
    took = time.monotonic() - begin
    writer.close()
    return round(1000 * took, 1) if answered.endswith(b"!") else None


async def run(address, port, count, octets, seconds, way):
    begin = time.monotonic()
    flows = []
    for n in range(count):
        await asyncio.sleep(max(0, begin + n * seconds / count - time.monotonic()))
        flows.append(asyncio.ensure_future(one(address, port, octets, way)))
    print(json.dumps(await asyncio.gather(*flows)), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        address, port, count, octets, seconds, way = sys.argv[2:]
        asyncio.run(run(address, int(port), int(count), int(octets), float(seconds), way))
