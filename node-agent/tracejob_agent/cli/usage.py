"""The help text of tracejob-bpftrace."""

from __future__ import annotations

USAGE = """\
tracejob-bpftrace - run a bpftrace program on this machine with tracejob's engine

USAGE:
    tracejob-bpftrace [options] FILE [parameters]
    tracejob-bpftrace [options] - [parameters]            read the program from stdin
    tracejob-bpftrace [options] -e 'PROGRAM' [parameters]
    Parameters are $1, $2... for the program, and --name=value for getopt().

OPTIONS:
    -e 'PROGRAM'            run this program
    -l, --list [PATTERN|FILE]
                            list probes, structs and enums, or the probes of a program
    -p, --pid PID           trace this process only; end with it
    -c, --cmd COMMAND       run COMMAND once everything is attached; end with it
    -f FORMAT               output format: text, json
    -o, --output FILE       write results to FILE
    -B MODE                 when to flush: line, full, none
    -q, --quiet             no notices
    -v, --verbose           what is attached, step by step, and the verifier's log; with -l, the arguments of probes
    -k, --warnings          tell of BPF helpers that failed
    --no-warnings           tell of errors only
    -I DIR                  look here for included files
    --include FILE          include FILE before the program
    --debuginfo DIR[:DIR]   look here first for symbols and types that were stripped
    --traceable-functions FILE
                            the kernel functions that a pattern may mean, one a line
    --unsafe                allow system(), signal(), override() and the like
    --usdt-file-activation  activate USDT probes for all processes of the file
    --no-feature LIST       do without these features
    --info                  what this kernel can do
    -h, --help              this text
    -V, --version           the version

DEVELOPER OPTIONS:
    --dry-run               end as soon as everything is attached
    -d, --debug STAGE       show a stage: ast, types, codegen, verifier, all
    --mode MODE             codegen, bench, test, format
    --test, --bench         run test: or bench: probes
    --probe-filter REGEX    only run probes whose name matches
    --fmt                   print the program, formatted
"""
