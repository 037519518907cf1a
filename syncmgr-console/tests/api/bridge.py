"""Forwards connections of a port on 127.0.0.1 to a Unix socket: schemathesis speaks no Unix sockets. Prints the port."""

import asyncio
import sys


async def forward(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def connected(reader, writer):
    to_reader, to_writer = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(forward(reader, to_writer), forward(to_reader, writer))


async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
