"""Container images written by hand, in Docker's archive format.

In: files to put into layers. Out: one archive of several images that share layers; `ctr images import` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Layer:
    """A tar file and the hash that image configurations name it by."""

    path: Path

    @property
    def digest(self) -> str:
        with self.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Image:
    tags: Sequence[str]
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()


def write_layer(path: Path, *, files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> Layer:
    """`files`: path in the image -> file here; `links`: path in the image -> what the symbolic link says."""
    with tarfile.open(path, "w") as tar:
        for name, source in sorted(files.items()):
            info = tar.gettarinfo(source.resolve(), arcname=name.lstrip("/"))
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = "root"
            with source.resolve().open("rb") as content:
                tar.addfile(info, content)
        for name, target in sorted((links or {}).items()):
            info = tarfile.TarInfo(name.lstrip("/"))
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return Layer(path)


def write_archive(path: Path, images: Sequence[Image]) -> None:
    manifest = []
    layers = {id(layer): (layer, f"{layer.digest}.tar") for image in images for layer in image.layers}
    with tarfile.open(path, "w") as tar:
        for layer, name in layers.values():
            tar.add(layer.path, arcname=name)
        for image in images:
            names = [layers[id(layer)][1] for layer in image.layers]
            config = json.dumps(
                {
                    "architecture": "amd64",
                    "os": "linux",
                    "config": {"Env": [_PATH], "Entrypoint": list(image.entrypoint)},
                    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + n.removesuffix(".tar") for n in names]},
                }
            ).encode()
            config_name = hashlib.sha256(config).hexdigest() + ".json"
            _add(tar, config_name, config)
            manifest.append({"Config": config_name, "RepoTags": list(image.tags), "Layers": names})
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
