"""The build hooks that pip calls, answered from the package's own PKG-INFO on paper.

Never imports, runs or writes anything of the package; see this directory's `__init__.py`.
"""

import email
import os
import shutil
import sys

WHEEL = "Wheel-Version: 1.0\nGenerator: paper\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def get_requires_for_build_wheel(config_settings=None):
    """Needs nothing, as nothing is built."""
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Copies PKG-INFO to where pip looks for the name and version of what it downloaded."""
    with open("PKG-INFO", encoding="utf-8") as file:
        info = email.message_from_file(file)
    name = info["Name"].replace("-", "_")
    target = f"{name}-{info['Version']}.dist-info"
    os.makedirs(os.path.join(metadata_directory, target))
    shutil.copyfile("PKG-INFO", os.path.join(metadata_directory, target, "METADATA"))
    with open(os.path.join(metadata_directory, target, "WHEEL"), "w", encoding="utf-8") as file:
        file.write(WHEEL)
    return target


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Refuses: a package that is only read is never built."""
    raise SystemExit("the paper backend builds nothing")


# Packages without a pyproject.toml are asked for under this name.
__legacy__ = sys.modules[__name__]
