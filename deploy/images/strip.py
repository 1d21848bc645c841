"""`python strip.py FOLDER`: removes unused parts of the shared libraries below a folder.

Debugging symbols are most of the size of some wheels. The bytes behind the last segment of an ELF
file are never loaded (System V ABI, chapter 5), so the file may end there, without a section table.
The slim base image lacks binutils, whose `strip` would do the same.
"""

import struct
import sys
from pathlib import Path
from typing import Final

ELF64_LITTLE_ENDIAN: Final = b"\x7fELF\x02\x01"
HEADER_SIZE: Final = 64
# Offsets in the header: the program headers; the section headers; their sizes, counts and names.
E_PHOFF: Final = 32
E_SHOFF: Final = 40
E_PHENTSIZE: Final = 54
E_SHNUM: Final = 60
P_OFFSET: Final = 8
P_FILESZ: Final = 32


def strip(content: bytes) -> bytes:
    """Return a 64-bit little-endian ELF file without the bytes that are never loaded.

    Other files are returned unchanged.
    """
    if len(content) < HEADER_SIZE or not content.startswith(ELF64_LITTLE_ENDIAN):
        return content
    (table,) = struct.unpack_from("<Q", content, E_PHOFF)
    size, count = struct.unpack_from("<HH", content, E_PHENTSIZE)
    end = max(HEADER_SIZE, table + size * count)
    for header in range(table, table + size * count, size):
        (offset,) = struct.unpack_from("<Q", content, header + P_OFFSET)
        (length,) = struct.unpack_from("<Q", content, header + P_FILESZ)
        end = max(end, offset + length)
    stripped = bytearray(content[:end])
    struct.pack_into("<Q", stripped, E_SHOFF, 0)
    struct.pack_into("<HH", stripped, E_SHNUM, 0, 0)
    return bytes(stripped)


def main(folder: Path) -> None:
    """Strip every shared library below the folder."""
    for path in folder.rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(strip(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
