"""TensorBoard's event files: records of one protobuf message each, `tensorflow.Event`.

Written by hand, since tensorboardX imports torch wherever there is one, and a few fields are all we need:

    record   u64 length, u32 masked CRC-32C of it, the message, u32 masked CRC-32C of the message
    Event    1: double wall_time   2: int64 step   3: string file_version   5: Summary
    Summary  1: Value, repeated    Value  1: string tag   2: float simple_value
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5  # protobuf's wire types


def head(wall_time: float) -> bytes:
    """What a file begins with. `wall_time`: seconds since 1970."""
    return _record(_key(1, DOUBLE) + struct.pack("<d", wall_time) + _bytes(3, b"brain.Event:2"))


def record(wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
    """Scalars of one step by their tags."""
    summary = b"".join(
        _bytes(1, _bytes(1, tag.encode()) + _key(2, FLOAT) + struct.pack("<f", value))
        for tag, value in values.items()
    )
    when = _key(1, DOUBLE) + struct.pack("<d", wall_time) + _key(2, VARINT) + _varint(step)
    return _record(when + _bytes(5, summary))


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _checksum(length) + message + _checksum(message)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _table() -> tuple[int, ...]:
    """Of CRC-32C (Castagnoli), reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901
        table.append(byte)
    return tuple(table)


TABLE = _table()


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)
