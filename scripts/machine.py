"""What this machine has and lacks: Python, disk, a GPU, Node, Debian's packages. Standard library only.

Knows nothing of the steps of the set-up. Every lack is a `Lack`: what is missing, and the line that mends it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_WANTED = (3, 11)
NODE_FOR_VITE = ((20, 19), (22, 12))  # what Vite 8 runs on: 20.19 or later of 20, or 22.12 and above
NODE_FOR_TESTS = ((22, 18),)  # runs TypeScript as it stands, and is what the browsers' drivers ask for

# program (any of these names) -> the Debian package that brings it
BROWSERS = {
    ("chromium", "chromium-browser", "google-chrome"): "chromium",
    ("firefox-esr", "firefox"): "firefox-esr",
    ("WebKitWebDriver",): "webkit2gtk-driver",
    ("xvfb-run",): "xvfb",
    ("xauth",): "xauth",
}
HANGUL_FONTS = Path("/usr/share/fonts/opentype/noto")  # fonts-noto-cjk: without it screenshots show boxes


class Lack(Exception):
    """Something is missing. The first argument says what, the second what to do."""


def check_python() -> None:
    """Raises Lack, or runs this script again under a newer Python of this machine."""
    if sys.version_info >= PYTHON_WANTED:
        if importlib.util.find_spec("ensurepip") is None:
            install_packages(["python3-venv"], "Python's venv module is missing (Debian packs it apart).")
        return
    for minor in range(15, PYTHON_WANTED[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    have = ".".join(str(n) for n in sys.version_info[:3])
    raise Lack(
        f"Python {have} is too old: I'm Fine needs 3.11 or newer.",
        "On Debian 12 and Ubuntu 24.04 `sudo apt install python3 python3-venv` brings it.",
    )


def check_place() -> None:
    parts = ROOT.parts
    if len(parts) > 2 and parts[1] == "mnt" and len(parts[2]) == 1:
        raise Lack(
            f"This checkout lies on a Windows drive ({ROOT}), where Linux's file locks do not hold.",
            f"Move it to the Linux home: `cp -r '{ROOT}' ~/imfine && cd ~/imfine && make up`.",
        )
    if not os.access(ROOT, os.W_OK):
        raise Lack(f"{ROOT} cannot be written to by this user.", "Clone it into a folder of your own.")


def check_disk(needed_mb: float) -> float:
    """Free space in GB. Raises Lack where it is less than `needed_mb`."""
    free_mb = shutil.disk_usage(ROOT).free / 1e6
    if free_mb < needed_mb:
        raise Lack(
            f"The disk is too full: {free_mb / 1e3:.1f} GB free at {ROOT}, {needed_mb / 1e3:.1f} GB needed.",
            "Free some space there, or move the checkout to a larger disk, and run it again.",
        )
    return free_mb / 1e3


def has_nvidia_gpu() -> bool:
    program = shutil.which("nvidia-smi") or shutil.which("/usr/lib/wsl/lib/nvidia-smi")
    if not program:
        return False
    found = subprocess.run([program, "-L"], capture_output=True, text=True)
    return found.returncode == 0 and "GPU" in found.stdout


def system_node(wanted: tuple[tuple[int, int], ...]) -> Path | None:
    """The folder of the system's node and npm, where both are there and new enough.

    `wanted` names the first good minor of each major; majors above the last are good."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    found = re.match(
        r"v(\d+)\.(\d+)", subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    )
    if not found:
        return None
    version = int(found[1]), int(found[2])
    good = any(version[0] == at[0] and version >= at for at in wanted) or version[0] > wanted[-1][0]
    return Path(node).parent if good else None


def missing_browsers() -> list[str]:
    """Packages of Debian's."""
    missing = [package for names, package in BROWSERS.items() if not any(map(shutil.which, names))]
    if not list(HANGUL_FONTS.glob("NotoSansCJK*")):
        missing.append("fonts-noto-cjk")
    return missing


def install_packages(packages: list[str], fact: str) -> None:
    """By apt, where this user may. Raises Lack with the line to type where not."""
    line = "apt install " + " ".join(packages)
    if not may_install():
        raise Lack(fact, f"Type `sudo {line}` and run it again.")
    print(f"  {fact} Installing: {line}", flush=True)
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", *options, *packages]):
        done = subprocess.run([*sudo, *environment, *command], capture_output=True, text=True)
        if done.returncode and "install" in command:
            raise Lack(
                f"{fact} apt could not install them: {last_line(done.stderr)}", snap_hint(line, packages)
            )


def may_install() -> bool:
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        return True
    return (
        bool(shutil.which("sudo"))
        and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    )


def snap_hint(line: str, packages: list[str]) -> str:
    release = Path("/etc/os-release")
    if (
        {"chromium", "firefox-esr"} & set(packages)
        and release.exists()
        and "ID=ubuntu" in release.read_text()
    ):
        return (
            "Ubuntu packs these browsers as snaps: `sudo snap install chromium firefox`, then run it again."
        )
    return f"Try `sudo {line}` by hand to see why."


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
