#!/bin/bash
# What runs in each guest, in few processes: starting one takes seconds here. $MATRIX_PART: "short" leaves out the tools,
# and what hardly depends on the kernel.
cases=tests/language/cases
wanted=($cases/kernel_functions.txt $cases/probes.txt tests/matrix/test_own_compiler.py tests/kernel/test_scope.py)
[ "$MATRIX_PART" = short ] || wanted+=($cases tests/matrix)
test() {
  .venv/bin/pytest -v -rs -p no:cacheprovider --timeout 240 --durations=5 "$@"
}
test "${wanted[@]}"
code=$?

# A node with cgroup v1 alone. The machine so far was one with v2 alone.
umount /sys/fs/cgroup
mount -t tmpfs none /sys/fs/cgroup
mkdir /sys/fs/cgroup/pids
mount -t cgroup -o pids none /sys/fs/cgroup/pids
test tests/kernel/test_scope.py || code=1
exit $code
