"""Why a mongod could not run, from its exit code and what it said."""

import platform
import signal
from pathlib import Path


def describe_platform() -> str:
    return f"{platform.system()} {platform.machine()}"


def explain(exit_code: int, output: str) -> str:
    """Return the reason as the end of a sentence that starts with the binary."""
    if exit_code in (-signal.Signals.SIGILL, 128 + signal.Signals.SIGILL):
        return f"{_describe_illegal_instruction()} Use a server elsewhere."
    said = output.strip()[-600:]
    if "GLIBC" in said:
        return f"the system's C library is too old for it ({said})."
    if "shared librar" in said or "Library not loaded" in said:
        return f"a library is missing ({said}). It needs libcurl4 and OpenSSL 3: apt-get install libcurl4 libssl3."
    return f"it ended with {exit_code} ({said})."


def _describe_illegal_instruction() -> str:
    cpu = Path("/proc/cpuinfo")
    flags = [line.split() for line in cpu.read_text().splitlines() if line.startswith("flags")] if cpu.exists() else []
    if flags and "avx" not in flags[0]:
        return "the CPU has no AVX, which MongoDB needs since 5.0."
    return "it met an instruction that this CPU does not know (MongoDB needs AVX since 5.0)."
