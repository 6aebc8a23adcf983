"""What lies free between what is in use goes back to the system."""

import subprocess
import sys
from platform import libc_ver

import pytest

PROGRAM = """
import asyncio
from pathlib import Path
from idolchat_api import allocator

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

async def main():
    buffers = [bytes(2000) for _ in range(50_000)]
    kept = buffers[::20]
    buffers.clear()
    before = resident_pages()
    allocator.TRIM_EVERY_S = 0.1
    async with allocator.trimming_freed_memory(), asyncio.timeout(60):
        while resident_pages() > before - 15_000:
            await asyncio.sleep(0.05)
    print(len(kept))

allocator.return_freed_memory()
asyncio.run(main())
"""


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="only glibc keeps what was freed so")
def test_what_small_buffers_leave_between_others_is_given_back() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("2500\n", "")
