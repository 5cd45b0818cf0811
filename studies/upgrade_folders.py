"""Seal the manifests of run folders that versions before the seal made.

    python -m studies.upgrade_folders runs

Each manifest is taken as it is, so do this to folders that you trust alone. Files that a run left
are listed with their sizes and digests, as they are now.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from learnorder.runs import ENDED, RunFolder
from learnorder.runs.manifest import FORMAT, find_manifests, present_form, write_manifest


def upgrade(manifest: Path) -> bool:
    """Seal one manifest; return whether that was needed."""
    values = json.loads(manifest.read_text(encoding="utf-8"))
    if values["format"] == FORMAT:
        return False
    values.pop("digest", None)
    running = {**present_form(values), "status": "interrupted"}
    write_manifest(manifest.parent, running)
    folder = RunFolder(manifest.parent)
    files = folder.seal() if values["status"] in ENDED else {}
    write_manifest(manifest.parent, {**present_form(values), "files": files})
    RunFolder(manifest.parent).records()
    return True


def main() -> int:
    """Upgrade the folders named on the command line."""
    found = [manifest for path in sys.argv[1:] for manifest in find_manifests(path)]
    count = sum(upgrade(manifest) for manifest in found)
    print(f"{count} of {len(found)} manifests sealed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
