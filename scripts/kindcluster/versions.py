"""What the cluster is made of: every version in one place, so that one hash says when something is stale."""

from __future__ import annotations

from typing import Final

GO: Final = "1.26.0"  # the oldest that Kubernetes' go.mod takes; a newer one on PATH is used as it is
GO_FETCH: Final = "1.26.8"  # fetched from the Go module proxy when PATH has none
KUBERNETES: Final = "v1.36.3"
KIND: Final = "v0.33.0"
ETCD_TAG: Final = "3.6.8-0"  # the tags are what kubeadm of this version asks for
COREDNS: Final = "v1.14.2"
PAUSE_TAG: Final = "3.10.2"
DEBIAN: Final = "bookworm"
