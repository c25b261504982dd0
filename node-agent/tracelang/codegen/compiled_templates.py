"""Made from templates/*.j2 by `make generate`: jinja2's translation of them. Not to be edited."""

from tracelang.codegen.template_runtime import Undefined, environment, missing


def program_c(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0:
        yield None
    l_0_maps = resolve('maps')
    l_0_numbers = resolve('numbers')
    l_0_events = resolve('events')
    l_0_runtime = resolve('runtime')
    l_0_programs = resolve('programs')
    pass
    yield '/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */\n\n'
    for l_1_map in undefined(name='maps') if l_0_maps is missing else l_0_maps:
        _loop_vars = {}
        pass
        yield '#define '
        yield str(environment.getattr(l_1_map, 'macro'))
        yield ' ((void *)bpf_pseudo_fd(1, '
        yield str(environment.getattr(l_1_map, 'index'))
        yield ')) /* '
        yield str(environment.getattr(l_1_map, 'note'))
        yield ' */\n'
    l_1_map = missing
    for l_1_name, l_1_number in undefined(name='numbers') if l_0_numbers is missing else l_0_numbers:
        _loop_vars = {}
        pass
        yield '#define '
        yield str(l_1_name)
        yield ' '
        yield str(l_1_number)
        yield 'ULL\n'
    l_1_name = l_1_number = missing
    yield '\n'
    for l_1_event in undefined(name='events') if l_0_events is missing else l_0_events:
        _loop_vars = {}
        pass
        yield 'struct '
        yield str(environment.getattr(l_1_event, 'name'))
        yield ' {\n'
        for l_2_member in environment.getattr(l_1_event, 'members'):
            _loop_vars = {}
            pass
            yield '  '
            yield str(l_2_member)
            yield ';\n'
        l_2_member = missing
        yield '} __attribute__((packed, aligned(8)));\n\n'
    l_1_event = missing
    for l_1_piece in undefined(name='runtime') if l_0_runtime is missing else l_0_runtime:
        _loop_vars = {}
        pass
        yield str(l_1_piece)
        yield '\n'
    l_1_piece = missing
    for l_1_program in undefined(name='programs') if l_0_programs is missing else l_0_programs:
        _loop_vars = {}
        pass
        for l_2_struct in environment.getattr(l_1_program, 'structs'):
            _loop_vars = {}
            pass
            yield 'struct '
            yield str(environment.getattr(l_2_struct, 'name'))
            yield ' {\n'
            for l_3_member in environment.getattr(l_2_struct, 'members'):
                _loop_vars = {}
                pass
                yield '  '
                yield str(l_3_member)
                yield str(' __attribute__((aligned(8)))' if '[' in l_3_member and 'aligned' not in l_3_member else '')
                yield ';\n'
            l_3_member = missing
            yield '};\n\n'
        l_2_struct = missing
        for l_2_function in environment.getattr(l_1_program, 'functions'):
            _loop_vars = {}
            pass
            yield '\n'
            if environment.getattr(l_2_function, 'comment'):
                pass
                yield '/* '
                yield str(environment.getattr(l_2_function, 'comment'))
                yield ' */\n'
            if environment.getattr(l_2_function, 'is_inlined'):
                pass
                yield 'static __always_inline '
                yield str(environment.getattr(l_2_function, 'head'))
                yield '\n'
            else:
                pass
                yield '__attribute__((section(".bpf.fn.'
                yield str(environment.getattr(l_2_function, 'name'))
                yield '")))\n'
                yield str(environment.getattr(l_2_function, 'head'))
                yield '\n'
            yield '{\n'
            for l_3_line in environment.getattr(l_2_function, 'lines'):
                _loop_vars = {}
                pass
                yield str(l_3_line)
                yield '\n'
            l_3_line = missing
            yield '}\n'
        l_2_function = missing
    l_1_program = missing

def runtime_cgroup_v1_read_c(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0:
        yield None
    l_0_v1 = resolve('v1')
    pass
    if environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'is_direct'):
        pass
        yield '/* The verifier knows the types that follow from the current task: loads need no helper, and fault on nothing. */\n#define cgroup_v1_task() ((u64)bpf_get_current_task_btf())\n#define cgroup_v1_read(from) (*(u64 *)(from))\n'
    else:
        pass
        yield '#define cgroup_v1_task() bpf_get_current_task()\nstatic __always_inline u64 cgroup_v1_read(u64 from)\n{\n  u64 value = 0;\n  bpf_probe_read_kernel(&value, sizeof(value), (void *)from);\n  return value;\n}\n'
    yield "\n/* The current task's state in the cgroup v1 hierarchy of "
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'controller'))
    yield ': task->cgroups->subsys[]. */\nstatic __always_inline u64 cgroup_v1_state(void)\n{\n  return cgroup_v1_read(cgroup_v1_read(cgroup_v1_task() + '
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'css_set'))
    yield ') + '
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'state'))
    yield ");\n}\n\n/* state->cgroup->kn->id, which is the inode of the cgroup's directory. */\nstatic __always_inline u64 cgroup_v1_id(u64 state)\n{\n  return cgroup_v1_read(cgroup_v1_read(cgroup_v1_read(state + "
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'cgroup'))
    yield ') + '
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'node'))
    yield ') + '
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'id'))
    yield ');\n}\n'

def runtime_in_scope_cgroups_v1_c(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0:
        yield None
    l_0_v1_levels = resolve('v1_levels')
    l_0_v1 = resolve('v1')
    pass
    yield "/* Whether one of the target's cgroups is the current task's or lies above it: from its own up to the root. */\nstatic __always_inline u8 in_scope_cgroups_v1(void)\n{\n  u64 state = cgroup_v1_state();\n#pragma clang loop unroll(disable)\n  for (u32 level = 0; level < "
    yield str(undefined(name='v1_levels') if l_0_v1_levels is missing else l_0_v1_levels)
    yield '; level++) {\n    u64 parent = cgroup_v1_read(state + '
    yield str(environment.getattr(undefined(name='v1') if l_0_v1 is missing else l_0_v1, 'parent'))
    yield ');\n    if (!parent)\n      return 0;\n    u64 id = cgroup_v1_id(state);\n    if (bpf_map_lookup_elem(TJ_SCOPE_CGROUP_IDS, &id))\n      return 1;\n    state = parent;\n  }\n  return 0;\n}\n'

TEMPLATES = {
    "program.c.j2": program_c,
    "runtime/cgroup_v1_read.c.j2": runtime_cgroup_v1_read_c,
    "runtime/in_scope_cgroups_v1.c.j2": runtime_in_scope_cgroups_v1_c,
}
