"""The image of a kind node, from Debian packages, kind's own node files and our Kubernetes binary.

In: the Debian mirror, the Go module registry. Out: an image in the Docker daemon that unmodified kind takes by --image.
What differs from kind's published image: containerd and runc are Debian's, the CNI is a unit on each node in place of
a DaemonSet, there is no storage provisioner.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from kindcluster import base_image, go_tools, versions
from kindcluster.docker_host import docker
from kindcluster.image_archive import Image, write_archive, write_layer
from kindcluster.steps import HERE, cached, digest, run

_PACKAGES: Final = (
    *("systemd", "dbus", "containerd", "runc", "containernetworking-plugins", "libseccomp2", "pigz"),
    *("iptables", "nftables", "iproute2", "conntrack", "socat", "ethtool"),
    *("kmod", "util-linux", "mount", "jq", "procps", "ca-certificates", "curl", "bash", "hostname"),
)
_CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# kube-proxy calls these in its own container.
_PROXY_TOOLS: Final = ("xtables-nft-multi", "nft", "conntrack", "kmod", "ip")


def ensure() -> str:
    """The image's name; built and imported when it is missing."""
    # versions.py and this file are inputs: a new version or another recipe is another image.
    inputs = [HERE / name for name in ("versions.py", "node_image.py", "image_archive.py", "pause.c", "node")]
    key = digest(*inputs, HERE / "kubernetes", HERE / "coredns")
    name = f"tracejob/kind-node:{key}"
    if not docker("images", "-q", name).strip():
        archive = cached("kind-node", key=key, build=_build) / "node.tar"
        entry = '["/usr/local/bin/entrypoint","/sbin/init"]'
        changes = [f"ENTRYPOINT {entry}", "ENV container=docker"]
        docker("import", *(part for change in changes for part in ("-c", change)), archive, name)
    return name


def _build(into: Path) -> None:
    root = into / "root"
    base_image.bootstrap(root, *_PACKAGES)
    _add_kind_files(root)
    _add_kubernetes(root)
    _add_our_units(root)
    _write_images(root, scratch=into)
    _set_up_systemd(root)
    run(["tar", "-C", root, "--numeric-owner", "-cf", into / "node.tar", "."])
    shutil.rmtree(root)


def _add_kind_files(root: Path) -> None:
    files = go_tools.kind().parent / "images/base/files"
    shutil.copytree(files, root, dirs_exist_ok=True)
    for folder in ("usr/local/bin", "kind/bin"):
        for script in (root / folder).iterdir():
            script.chmod(0o755)
    # kind's unit starts containerd from /usr/local/bin.
    for name in ("containerd", "ctr", "containerd-shim-runc-v2"):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}")
    config = root / "etc/containerd/config.toml"
    text = re.sub(r"^.*base_runtime_spec.*\n", "", config.read_text(), flags=re.MULTILINE)
    # On a machine without CAP_SYS_RESOURCE a lower score than the node's own can't be had.
    config.write_text(text.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"))


def _add_kubernetes(root: Path) -> None:
    shutil.copy2(go_tools.kubernetes(), root / "usr/bin/kubernetes")
    for name in ("kubeadm", "kubelet", "kubectl"):
        (root / "usr/bin" / name).symlink_to("kubernetes")
    (root / "kind/version").write_text(versions.KUBERNETES)
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    (root / "opt/cni").mkdir(parents=True)
    (root / "opt/cni/bin").symlink_to("/usr/lib/cni")


def _add_our_units(root: Path) -> None:
    shutil.copytree(HERE / "node", root, dirs_exist_ok=True)
    for script in ("import-images", "write-cni-config"):
        (root / "kind/bin" / script).chmod(0o755)


def _write_images(root: Path, *, scratch: Path) -> None:
    """Everything that kubeadm starts, in one archive that the node imports when its containerd starts."""
    run(["gcc", "-Os", "-static", "-s", "-o", scratch / "pause", HERE / "pause.c"])
    names = ("etcd", "kube-proxy", *_CONTROL_PLANE)
    programs = write_layer(
        scratch / "kubernetes.layer",
        files={"usr/local/bin/kubernetes": go_tools.kubernetes()},
        links={f"usr/local/bin/{name}": "kubernetes" for name in names},
    )
    tools = write_layer(scratch / "proxy.layer", files=_proxy_files(root), links=_proxy_links())
    pause = write_layer(scratch / "pause.layer", files={"pause": scratch / "pause"})
    dns = write_layer(scratch / "coredns.layer", files={"coredns": go_tools.coredns()})
    registry = "registry.k8s.io"
    config = (root / "etc/containerd/config.toml").read_text()
    sandbox = re.findall(r'sandbox_image = "(.+)"', config)
    images = [
        *(Image(tags=[f"{registry}/{name}:{versions.KUBERNETES}"], layers=[programs]) for name in _CONTROL_PLANE),
        Image(tags=[f"{registry}/kube-proxy:{versions.KUBERNETES}"], layers=[tools, programs]),
        Image(tags=[f"{registry}/etcd:{versions.ETCD_TAG}"], layers=[programs]),
        Image(tags=[f"{registry}/coredns/coredns:{versions.COREDNS}"], layers=[dns], entrypoint=["/coredns"]),
        Image(tags=[f"{registry}/pause:{versions.PAUSE_TAG}", *sandbox], layers=[pause], entrypoint=["/pause"]),
    ]
    write_archive(root / "kind/images.tar", images)
    for left in scratch.glob("*.layer"):
        left.unlink()


def _proxy_files(root: Path) -> dict[str, Path]:
    """The packet filter's tools and the libraries that they load, at their own paths."""
    folders = ("usr/sbin", "usr/bin")
    programs = [f"/{folder}/{name}" for name in _PROXY_TOOLS for folder in folders if (root / folder / name).exists()]
    plugins = [f"/{path.relative_to(root)}" for path in (root / "usr/lib/x86_64-linux-gnu/xtables").glob("*.so")]
    # The plug-ins too: statistic, which shares a service out among its endpoints, wants libm, and no program does.
    linked = run(["chroot", root, "ldd", *programs, *plugins])
    libraries = set(re.findall(r"(/lib\S+)", linked.replace(":\n", "\n")))
    wanted = {*programs, *plugins, *libraries, "/etc/protocols", "/etc/ethertypes"}
    return {path: root / path.lstrip("/") for path in wanted if (root / path.lstrip("/")).is_file()}


def _proxy_links() -> dict[str, str]:
    names = [f"ip{six}tables{verb}" for six in ("", "6") for verb in ("", "-save", "-restore")]
    links = {f"usr/local/sbin/{name}": "/usr/sbin/xtables-nft-multi" for name in names}
    return {**links, "usr/local/sbin/modprobe": "/usr/bin/kmod"}


def _set_up_systemd(root: Path) -> None:
    """The same units on and off as in kind's own image."""
    if not (root / "sbin/init").exists():
        (root / "usr/sbin/init").symlink_to("/usr/lib/systemd/systemd")
    unwanted = (
        "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
        "lib/systemd/system/multi-user.target.wants/*",
        "etc/systemd/system/*.wants/*",
        "lib/systemd/system/local-fs.target.wants/*",
        "lib/systemd/system/sockets.target.wants/*udev*",
        "lib/systemd/system/sockets.target.wants/*initctl*",
        "lib/systemd/system/basic.target.wants/*",
    )
    for pattern in unwanted:
        for path in root.glob(pattern):
            path.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as journal:
        journal.write("ReadKMsg=no\n")
    units = ("kubelet", "containerd", "undo-mount-hacks", "tracejob-cni")
    run(["chroot", root, "systemctl", "enable", *(f"{unit}.service" for unit in units)])
    run(["chroot", root, "systemctl", "mask", "systemd-binfmt.service"])
